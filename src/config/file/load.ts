/**
 * Loads a {@link Config} from a path: parse, rewrite old spellings, check names, read values.
 * @module
 */
import { buildConfig } from "./build.ts";
import { type Environment } from "../directives/section.ts";
import { checkEnvironment, checkTree, type Ignored } from "./check.ts";
import { ConfigError, type Diagnostic } from "../grammar/diagnostic.ts";
import { parseFile, parseText, type ReadFile, type Tree } from "../grammar/parser.ts";
import { Report } from "../grammar/report.ts";
import { rewriteOldSpellings } from "../grammar/rewrite.ts";
import type { Setting } from "../directives/section.ts";
import type { Config } from "../types.ts";

/** The configuration of SRS without a file. */
const ENVIRONMENT_ONLY = "vhost __defaultVhost__ {}";

/** A configuration with its warnings and sources. */
export interface Loaded {
  readonly config: Config;
  /** Sorted by file and line. */
  readonly warnings: readonly Diagnostic[];
  /** Every value in effect, in the order of the reference. */
  readonly settings: readonly Setting[];
  /** Every directive in the file that SRS knows and this server ignores. */
  readonly ignored: readonly Ignored[];
  /** The files that were read, the main file first. */
  readonly files: readonly string[];
}

/**
 * Loads a configuration file. With a null path it loads the environment alone.
 * Throws ConfigError with the first syntax error, or with all unknown names and bad values.
 */
export function loadConfig(
  path: string | null,
  readFile: ReadFile,
  environment: Environment,
): Loaded {
  const { directives, files, top } = readTree(path, readFile);
  const report = new Report();
  const tree = rewriteOldSpellings(directives, report);
  const ignored = [
    ...checkTree(tree, environment, report),
    ...checkEnvironment(environment, report),
  ];
  const settings: Setting[] = [];
  const config = buildConfig(path, tree, top, { environment, report, settings });
  report.throwIfFailed();
  return { config, warnings: report.warnings, settings, ignored, files };
}

function readTree(path: string | null, readFile: ReadFile): Tree {
  if (path === null) return { ...parseText("(no file)", ENVIRONMENT_ONLY), files: [] };
  const tree = parseFile(path, readFile);
  if (tree.directives.length > 0) return tree;
  throw ConfigError.at(
    tree.top,
    "conf is empty: it needs at least listen 1935; and vhost __defaultVhost__ { }",
  );
}
