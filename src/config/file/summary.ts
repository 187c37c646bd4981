/**
 * The output of `-t`: every value in effect with its origin, and the directives without effect.
 * @module
 */
import type { Ignored } from "./check.ts";
import { formatPlace } from "../grammar/diagnostic.ts";
import type { Loaded } from "./load.ts";
import type { Setting } from "../directives/section.ts";

/** The lines of the summary, without a final newline. */
export function formatSummary({ config, settings, ignored }: Loaded): string {
  const global = settings.filter((setting) => setting.vhost === null);
  const lines = [
    `in effect (${config.file ?? "environment only"}):`,
    ...rows(global, "", "  "),
    ...config.vhosts.flatMap(({ name }) => [
      `  vhost ${name}`,
      ...rows(settings.filter((setting) => setting.vhost === name), "vhost.", "    "),
    ]),
    ...ignoredLines("lost: SRS would do this, it is not offered here:", ignored, "not offered"),
    ...ignoredLines("without effect, ignored:", ignored, "relic"),
  ];
  return lines.join("\n");
}

function rows(settings: readonly Setting[], prefix: string, indent: string): string[] {
  return columns(
    settings.map((setting) => [setting.path.slice(prefix.length), setting.text, originOf(setting)]),
    indent,
  );
}

function originOf({ origin, place }: Setting): string {
  return origin === "default" || !place ? "default" : formatPlace(place);
}

function ignoredLines(
  title: string,
  ignored: readonly Ignored[],
  status: Ignored["status"],
): string[] {
  const cells = ignored.filter((one) => one.status === status).map(
    ({ path, contents, place, about }) => [
      contents.length === 0 ? path : `${path} { ${contents.join(" ")} }`,
      formatPlace(place),
      about,
    ],
  );
  return cells.length === 0 ? [] : [title, ...columns(cells, "  ")];
}

/** Longest cell that widens a column. A longer cell shifts only the rest of its own line. */
const WIDEST = 36;

function columns(cells: readonly (readonly string[])[], indent: string): string[] {
  const widthOf = (column: number) =>
    Math.max(...cells.map((row) => row[column].length).filter((length) => length <= WIDEST), 0);
  return cells.map((row) => {
    const padded = row.slice(0, -1).map((cell, column) => cell.padEnd(widthOf(column)));
    return indent + [...padded, ...row.slice(-1)].join("  ");
  });
}
