/**
 * What is made from the source: the configuration reference, as `conf/full.conf` and as tables between two
 * marks of `conf/reference*.md`.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { formatFullConf } from "../config/directives/full_conf.ts";
import { formatReference, type Language } from "../config/directives/reference.ts";
import { BuildError } from "./run.ts";

/** The files with these tables, by language. */
export const REFERENCES: Readonly<Record<Language, string>> = {
  en: "conf/reference.md",
  zh: "conf/reference.zh-CN.md",
};

/** The reference as a configuration file. */
export const FULL_CONF = "conf/full.conf";

// The formatter would pad the cells, and does not know how wide Chinese is.
const BEGIN = "<!-- reference: made by `deno task docs` -->\n<!-- deno-fmt-ignore-start -->\n\n";
const END = "\n\n<!-- deno-fmt-ignore-end -->\n<!-- end of the reference -->\n";

/** A file's text with the reference as it should be. Throws BuildError when it has no marks. */
export function withReference(text: string, language: Language): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) {
    throw new BuildError(
      `${REFERENCES[language]} has no place for the reference: put in ${BEGIN}${END}`,
    );
  }
  return text.slice(0, from + BEGIN.length) + formatReference(language) + text.slice(to);
}

/** Writes `conf/full.conf`, and the tables into the references. */
export function updateReferences(): void {
  writeFileSync(FULL_CONF, formatFullConf());
  for (const language of ["en", "zh"] as const) {
    const file = REFERENCES[language];
    writeFileSync(file, withReference(readFileSync(file, "utf8"), language));
  }
}
