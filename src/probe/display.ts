/**
 * How a probe shows itself while it runs: one block that refreshes on a terminal, a line a second
 * elsewhere, nothing with `--json`.
 * @module
 */

import process from "node:process";
import { blockText, lineText, type ProbeReport } from "./report.ts";

/** Shows figures, again and again, and the last ones at the end. */
export interface Display {
  /** ms between two looks. */
  readonly intervalMs: number;
  show(found: ProbeReport): void;
  finish(found: ProbeReport): void;
}

/** The display for this output. */
export function makeDisplay(json: boolean): Display {
  if (json) return new JsonDisplay();
  return process.stdout.isTTY ? new BlockDisplay() : new LineDisplay();
}

class JsonDisplay implements Display {
  readonly intervalMs = 1000;
  show(): void {}
  finish(found: ProbeReport): void {
    console.log(JSON.stringify(found, null, 2));
  }
}

class LineDisplay implements Display {
  readonly intervalMs = 1000;
  show(found: ProbeReport): void {
    console.log(lineText(found));
  }
  finish(found: ProbeReport): void {
    if (found.seconds > 0) console.log(blockText(found).join("\n"));
  }
}

const UP = (lines: number) => (lines === 0 ? "" : `\x1b[${lines}A`);
const CLEAR_BELOW = "\x1b[0J";

class BlockDisplay implements Display {
  readonly intervalMs = 250;
  #shown = 0;

  show(found: ProbeReport): void {
    // A line that the terminal would wrap would be counted wrongly.
    const width = Math.max(20, (process.stdout.columns || 80) - 1);
    const lines = blockText(found).map((line) => line.slice(0, width));
    process.stdout.write(`${UP(this.#shown)}${CLEAR_BELOW}${lines.join("\n")}\n`);
    this.#shown = lines.length;
  }

  finish(found: ProbeReport): void {
    process.stdout.write(`${UP(this.#shown)}${CLEAR_BELOW}`);
    if (found.seconds > 0) console.log(blockText(found).join("\n"));
  }
}
