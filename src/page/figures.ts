/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Named values side by side.
 * @module
 */

import { el, setText } from "./dom.ts";
import type { TextKey } from "./texts.ts";

/** A value, and a smaller line below it. */
export type Figure = string | readonly [value: string, note: string];

/** Fills `parent` with one place for each name; returns what sets the values. */
export function figures<K extends TextKey>(
  parent: Element,
  className: string,
  names: readonly K[],
): (values: Readonly<Record<K, Figure>>) => void {
  const places = names.map((name) => {
    const value = el("dd", "", [], { "data-figure": name });
    const note = el("dd", "note");
    parent.append(el("dl", className, [el("dt", "", [], { "data-text": name }), value, note]));
    return { name, value, note };
  });
  return (values) => {
    for (const { name, value, note } of places) {
      const figure = values[name];
      const [main, below] = typeof figure === "string" ? [figure, ""] : figure;
      setText(value, main);
      setText(note, below);
      note.title = below;
    }
  };
}
