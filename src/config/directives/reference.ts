/**
 * The tables of `conf/reference*.md`. It is made from the directive table and so
 * cannot differ from the parser.
 * @module
 */
import { allDirectives, type Entry } from "./directives.ts";
import { LARGEST, type Range } from "./kinds.ts";
import { CHINESE } from "./reference_zh.ts";
import type { Leaf, Reload, Spec } from "./spec.ts";
import { CONFIG } from "./root.ts";

/** The languages of the documentation. */
export type Language = "en" | "zh";

/** Headings and fixed texts in one language. */
interface Words {
  readonly heading: readonly string[];
  readonly top: string;
  readonly notOffered: string;
  readonly relics: string;
  readonly reload: Readonly<Record<Reload, string>>;
  /** The description of a directive. */
  about(entry: Entry): string;
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    heading: ["directive", "default", "values", "what it does", "on reload"],
    top: "top level",
    notOffered: "Known to SRS, not offered here (a warning, then ignored):",
    relics: "Without effect, here or in SRS:",
    reload: {
      applied: "applied at once",
      live: "for what comes next",
      restart: "needs a restart",
      none: "–",
    },
    about: ({ spec }) => spec.about,
  },
  zh: {
    heading: ["指令", "默认值", "取值", "作用", "reload 时"],
    top: "顶层",
    notOffered: "SRS 有、本服务器不提供的（给一条警告，然后忽略）：",
    relics: "在这里和在 SRS 里都不起作用的：",
    reload: {
      applied: "立即生效",
      live: "对之后的连接生效",
      restart: "需要重启",
      none: "–",
    },
    // A directive without a translation is described in English.
    about: ({ path, spec }) => CHINESE[path] ?? spec.about,
  },
};

/** The reference in one language: a table for each block, then the names without effect. */
export function formatReference(language: Language): string {
  const words = WORDS[language];
  const entries = allDirectives();
  const parts = ["", ...entries.filter(isHonouredBlock).map(({ path }) => path)].flatMap((path) => {
    const leaves = entries.filter((entry) => isHonouredLeaf(entry) && parentOf(entry) === path);
    const title = path === "" ? words.top : `\`${path}\``;
    return leaves.length === 0 ? [] : [table(title, leaves, words)];
  });
  return [
    ...parts,
    names(words.notOffered, entries, "not offered"),
    names(words.relics, entries, "relic"),
  ].join("\n\n");
}

function isHonouredBlock({ spec, status }: Entry): boolean {
  return spec.type === "block" && status === "honoured";
}

function isHonouredLeaf({ spec, status }: Entry): boolean {
  return spec.type === "leaf" && status === "honoured";
}

function parentOf({ path, name }: Entry): string {
  return path.slice(0, -name.length - 1);
}

function table(title: string, entries: readonly Entry[], words: Words): string {
  const rows = entries.map((entry) => {
    const { name, spec } = entry;
    if (spec.type !== "leaf") return "";
    const preset = isNone(spec.default) ? "" : code(spec.kind.format(spec.default));
    const reload = words.reload[spec.reload ?? "restart"];
    return row([code(name), preset, values(spec), escape(words.about(entry)), reload]);
  });
  return [`**${title}**`, "", row(words.heading), row(words.heading.map(() => "---")), ...rows]
    .join("\n");
}

function isNone(value: unknown): boolean {
  return value === "" || Array.isArray(value) && value.length === 0;
}

/** The possible values of a directive. */
function values({ kind, range, unit }: Leaf<unknown>): string {
  return range ? formatRange(range, unit) : escape(kind.label);
}

function formatRange({ min, max }: Range, unit: string): string {
  const bounds = max >= LARGEST ? `≥ ${min}` : `${min}–${max}`;
  return unit === "" ? bounds : `${bounds} ${unit}`;
}

/** The outermost names with a status. The contents of a block without effect have none either. */
function names(title: string, entries: readonly Entry[], status: Entry["status"]): string {
  const honoured = new Set<Spec>(entries.filter(isHonouredBlock).map(({ spec }) => spec));
  const found = entries.filter((entry) =>
    entry.status === status && (entry.parent === CONFIG || honoured.has(entry.parent))
  );
  return `${title} ${found.map(({ path }) => code(path)).join(" ")}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Escapes the separator of cells. */
function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
