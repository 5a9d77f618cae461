// `npm run lock`: package-lock.json anew from package.json, without the addresses of the registry it was made with,
// so that everyone installs from their own.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";

rmSync("package-lock.json", { force: true });
execFileSync("npm", ["install", "--package-lock-only", "--omit-lockfile-registry-resolved=false"], {
  stdio: "inherit",
});
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
