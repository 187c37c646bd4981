/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * A line of text with a button that copies it.
 * @module
 */

import { TOLD_MS } from "./limits.ts";
import { copyText, el, nameBy, setText } from "./dom.ts";
import { text, type TextKey } from "./texts.ts";

/** The line; its text may change. */
export class CopyBox {
  readonly element: HTMLElement;
  readonly #code = el("code");
  readonly #button = el("button", "", [], { type: "button", "data-text": "copy" });

  constructor(label: TextKey | null = null) {
    const caption = label ? [el("span", "caption", [], { "data-text": label })] : [];
    this.element = el("div", "copy", [...caption, this.#code, this.#button]);
    nameBy(this.#button, this.#button, caption[0] ?? this.#code);
    this.#button.addEventListener("click", () => void this.#copy());
  }

  /** What is shown and copied. */
  set value(value: string) {
    setText(this.#code, value);
  }

  async #copy(): Promise<void> {
    const done = await copyText(this.#code);
    this.#button.textContent = text(done ? "copied" : "copyFailed");
    setTimeout(() => this.#button.textContent = text("copy"), TOLD_MS);
  }
}

/** A list of such lines under an element. */
export function copyBoxes<K extends string>(
  parent: Element,
  labels: Readonly<Record<K, TextKey | null>>,
): (values: Readonly<Record<K, string | null>>) => void {
  const boxes = new Map<K, CopyBox>();
  for (const name in labels) boxes.set(name, new CopyBox(labels[name]));
  parent.append(...[...boxes.values()].map((box) => box.element));
  return (values) => {
    for (const [name, box] of boxes) {
      const value = values[name];
      box.element.hidden = value === null;
      if (value !== null) box.value = value;
    }
  };
}
