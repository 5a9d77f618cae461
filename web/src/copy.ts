// A command to copy.
import { el } from "./dom";

export function command(text: string): HTMLElement {
  const button = el("button", { type: "button", class: "copy" }, "Copy");
  const code = el("code", {}, text);
  button.addEventListener("click", () => {
    const done = () => (button.textContent = "Copied");
    // From a file, some browsers allow no clipboard: then the command is selected, ready for Ctrl-C.
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      button.textContent = "Selected";
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
    else select();
  });
  return el("p", { class: "command" }, code, button);
}
