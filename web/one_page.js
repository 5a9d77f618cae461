// Vite plugin: puts the bundled script and style into the HTML page, so that the page needs no other file, and
// forbids the page every request to another place. Under `vite dev` the page shows the browser test's sample report
// instead.
import { readFileSync } from "node:fs";

const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; " +
  "img-src data: blob:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'";
const dataTag = '<script type="application/json" id="bnlab-report">';

function insertSample(html) {
  const sample = readFileSync(new URL("../tests/browser/sample_report.json", import.meta.url), "utf8");
  return html.replace(dataTag, () => dataTag + sample.replaceAll("<", "\\u003c"));
}

// Without this, "</script" or "<!--" inside a string of the bundle would end the element or change how it is read.
function scriptText(code) {
  return code.replace(/<(\/script|!--)/gi, "\\x3c$1");
}

function inline(html, bundle) {
  const used = [];
  const take = (file) => {
    used.push(file);
    const part = bundle[file];
    return part.type === "chunk" ? part.code : String(part.source);
  };
  html = html.replace(
    /<script type="module"[^>]* src="\.\/([^"]+)"><\/script>/g,
    (_, file) => `<script type="module">${scriptText(take(file))}</script>`,
  );
  html = html.replace(/<link rel="stylesheet"[^>]* href="\.\/([^"]+)">/g, (_, file) => `<style>${take(file)}</style>`);
  html = html.replace("<head>", () => `<head>\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`);
  return { html, used };
}

export function onePage() {
  return {
    name: "one-page",
    enforce: "post",
    transformIndexHtml: { order: "pre", handler: (html, context) => (context.server ? insertSample(html) : html) },
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      const { html, used } = inline(String(page.source), bundle);
      page.source = html;
      for (const file of used) delete bundle[file];
      const left = Object.keys(bundle).filter((file) => file !== "index.html");
      if (left.length > 0) this.error(`the page would need more files than itself: ${left.join(", ")}`);
      if (html.split(dataTag).length !== 2) this.error(`the page must hold ${dataTag} exactly once`);
    },
  };
}
