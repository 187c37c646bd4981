/**
 * The table "What one client can hold" of `conf/security*.md`, as a test reads it.
 * @module
 */

/** A row. */
export interface Holding {
  readonly what: string;
  /** In `unit`. */
  readonly limit: number;
  readonly unit: string;
  /** A constant (`NAME`, `NAME.field`), or the path of a directive. */
  readonly name: string;
  /** Where in `src/` the constant is; null: it is a directive. */
  readonly file: string | null;
}

/** The rows of the table, in either language. */
export function holdingsIn(readme: string): Holding[] {
  const rows: Holding[] = [];
  for (const [line] of readme.matchAll(/^\|(?:[^|\n]*\|){5}$/gm)) {
    const [what, , limit, unit, by] = line.split("|").slice(1, -1).map((cell) => cell.trim());
    const set = /^`([\w.]+)`(?:(?: in |，)`([\w/]+\.ts)`)?$/.exec(by);
    if (!set || !/^\d+$/.test(limit)) continue;
    rows.push({ what, limit: Number(limit), unit, name: set[1], file: set[2] ?? null });
  }
  return rows;
}
