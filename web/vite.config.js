import { defineConfig } from "vite";
import { onePage } from "./one_page.js";

// Each page is built by itself, because one that loads no other file can share none.
const page = process.env.BNLAB_PAGE ?? "index";

export default defineConfig({
  base: "./",
  plugins: [onePage(page)],
  build: {
    target: "es2020",
    outDir: process.env.BNLAB_VIEWER_OUT ?? "dist",
    emptyOutDir: false,
    modulePreload: false,
    cssCodeSplit: false,
    chunkSizeWarningLimit: 4000,
    rollupOptions: { input: `${page}.html`, output: { inlineDynamicImports: true } },
  },
});
