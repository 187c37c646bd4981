/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * A small graph of one or two lines over the last minutes.
 * @module
 */

import { el, setText } from "./dom.ts";
import { HISTORY_SECONDS } from "./history.ts";
import { text, type TextKey } from "./texts.ts";

const SVG = "http://www.w3.org/2000/svg";
/** Units of the drawing, which is stretched to its place. */
const WIDTH = 300;
const HEIGHT = 60;
/** Share of the height that stays free above the highest value. */
const HEADROOM = 0.1;

/** A value at a second; null: the line has a gap. */
export type Point = readonly [second: number, value: number | null];

/** A graph with its scale. */
export class Chart {
  readonly element: HTMLElement;
  readonly #lines: SVGPathElement[];
  readonly #names: readonly TextKey[];
  readonly #top = el("span", "scale");
  readonly #now = el("span", "scale now");

  /** One line for each class, with its name; `format` prints the scale. */
  constructor(
    lines: Readonly<Record<string, TextKey>>,
    private readonly format: (value: number) => string,
  ) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const y of [HEIGHT / 2, HEIGHT - 0.5]) {
      const grid = document.createElementNS(SVG, "path");
      grid.setAttribute("d", `M0 ${y}H${WIDTH}`);
      grid.setAttribute("class", "grid");
      svg.append(grid);
    }
    this.#names = Object.values(lines);
    this.#lines = Object.keys(lines).map((name) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", `line ${name}`);
      svg.append(line);
      return line;
    });
    this.element = el("div", "chart", [svg, this.#top, this.#now], { role: "img" });
  }

  /** Draws the lines, whose right end is the second `now`, and the first one's present value. */
  draw(now: number, lines: readonly (readonly Point[])[]): void {
    const values = lines.flat().map(([, value]) => value ?? 0);
    const top = niceTop(Math.max(...values, 0) * (1 + HEADROOM));
    setText(this.#top, values.length > 0 ? this.format(top) : "");
    const present = lines.map((points) => {
      const value = points.at(-1)?.[1] ?? null;
      return value === null ? "" : this.format(value);
    });
    setText(this.#now, present[0] ?? "");
    const words = this.#names.map((name, i) => `${text(name)} ${present[i] || "–"}`);
    this.element.setAttribute("aria-label", words.join(", "));
    for (const [i, points] of lines.entries()) {
      this.#lines[i]?.setAttribute("d", pathOf(points, now, top));
    }
  }
}

function pathOf(points: readonly Point[], now: number, top: number): string {
  let path = "";
  let before = -Infinity;
  for (const [second, value] of points) {
    if (value === null) continue;
    const x = WIDTH - (now - second) * WIDTH / (HISTORY_SECONDS - 1);
    const y = HEIGHT - 0.5 - value / top * (HEIGHT - 1);
    path += `${second - before > 5 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = second;
  }
  return path;
}

/** The next of 1, 2, 5, 10, 20 and so on. */
function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * power >= value) ?? 10) * power;
}
