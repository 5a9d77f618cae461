import { defineConfig } from "vite";
import { onePage } from "./one_page.js";

export default defineConfig({
  base: "./",
  plugins: [onePage()],
  build: {
    target: "es2020",
    outDir: process.env.BNLAB_VIEWER_OUT ?? "dist",
    emptyOutDir: true,
    modulePreload: false,
    cssCodeSplit: false,
    chunkSizeWarningLimit: 4000,
    rollupOptions: { output: { inlineDynamicImports: true } },
  },
});
