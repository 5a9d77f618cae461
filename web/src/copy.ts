// Text to copy: commands, addresses.
import { el } from "./dom";

const wordsStay = 2000; // milliseconds

function say(button: HTMLButtonElement, words: string): void {
  const before = button.dataset.words ?? button.textContent ?? "";
  button.dataset.words = before;
  button.textContent = words;
  setTimeout(() => (button.textContent = before), wordsStay);
}

/** Puts the text on the clipboard; the button says so. False if the browser allows none, as some do from a file. */
export async function copyText(text: string, button: HTMLButtonElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    say(button, "copied");
    return true;
  } catch {
    say(button, "see the address bar");
    return false;
  }
}

/** A command with a button that copies it; `set` gives it another text. */
export function changingCommand(text: string): { element: HTMLElement; set: (text: string) => void } {
  const button = el("button", { type: "button", class: "copy" }, "Copy");
  const code = el("code", {}, text);
  button.addEventListener("click", () => {
    const done = () => say(button, "Copied");
    // Without a clipboard the command is selected, ready for Ctrl-C.
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      say(button, "Selected");
    };
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent ?? "").then(done, select);
    else select();
  });
  return { element: el("div", { class: "command" }, code, button), set: (other) => (code.textContent = other) };
}

export function command(text: string): HTMLElement {
  return changingCommand(text).element;
}
