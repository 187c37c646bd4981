/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Back and forth through a long list.
 * @module
 */

import { el, setText } from "./dom.ts";

/** Which part of a list is shown. */
export class Pager {
  start = 0;
  readonly #back = el("button", "", ["‹"], { type: "button", "data-title": "previous" });
  readonly #on = el("button", "", ["›"], { type: "button", "data-title": "next" });
  readonly #label = el("span");
  #total = 0;

  /** `turned`: another part is to be shown. */
  constructor(private readonly parent: HTMLElement, readonly size: number, turned: () => void) {
    parent.append(this.#back, this.#label, this.#on);
    const turn = (by: number) => {
      this.start = Math.max(0, this.start + by * size);
      turned();
    };
    this.#back.addEventListener("click", () => turn(-1));
    this.#on.addEventListener("click", () => turn(1));
  }

  /** How long the list is at present. */
  set total(total: number) {
    this.#total = total;
    // The list has become shorter than where we are.
    if (this.start >= total) this.start = Math.max(0, Math.ceil(total / this.size) - 1) * this.size;
    const end = Math.min(total, this.start + this.size);
    setText(this.#label, `${this.start + 1}–${end} / ${total}`);
    this.#back.disabled = this.start === 0;
    this.#on.disabled = end >= total;
    this.parent.hidden = total <= this.size;
  }

  get total(): number {
    return this.#total;
  }
}
