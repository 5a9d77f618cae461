// Vite plugin: puts the bundled script and style into the HTML page, so that the page needs no other file, and
// forbids the page every request to another place. Under `vite dev` a page shows the browser tests' sample instead.
import { readFileSync } from "node:fs";

// The pages, by the name of their HTML file.
const pages = {
  index: { data: "bnlab-report", sample: "sample_report.json" },
  explain: { data: "bnlab-trace", sample: "sample_trace.json" },
};

// No function is made from text (draw.ts has Vega interpret its expressions), nothing is asked of another place.
const policy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
  "img-src data: blob:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

function dataTag(page) {
  return `<script type="application/json" id="${page.data}">`;
}

function insertSample(html, page) {
  const sample = readFileSync(new URL(`../tests/browser/${page.sample}`, import.meta.url), "utf8");
  return html.replace(dataTag(page), (tag) => tag + sample.replaceAll("<", "\\u003c"));
}

// Without this, "</script" or "<!--" inside a string of the bundle would end the element or change how it is read.
function scriptText(code) {
  return code.replace(/<(\/script|!--)/gi, "\\x3c$1");
}

function inline(html, bundle, page) {
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
  const head = `<head>\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`;
  return { html: html.replace("<head>", () => head), used };
}

/** `name`: which of the pages is built; under `vite dev` all of them are there. */
export function onePage(name) {
  const file = `${name}.html`;
  return {
    name: "one-page",
    enforce: "post",
    transformIndexHtml: {
      order: "pre",
      handler: (html, context) => {
        const page = pages[context.path.replace(/^\/|\.html$/g, "")];
        return context.server && page ? insertSample(html, page) : html;
      },
    },
    generateBundle(_, bundle) {
      const page = pages[name];
      const { html, used } = inline(String(bundle[file].source), bundle, page);
      bundle[file].source = html;
      for (const part of used) delete bundle[part];
      const left = Object.keys(bundle).filter((part) => part !== file);
      if (left.length > 0) this.error(`the page would need more files than itself: ${left.join(", ")}`);
      if (html.split(dataTag(page)).length !== 2) this.error(`the page must hold ${dataTag(page)} exactly once`);
    },
  };
}
