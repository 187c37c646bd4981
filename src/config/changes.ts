/**
 * What is different between two configurations, directive by directive.
 * @module
 */
import type { Setting } from "./section.ts";
import type { Reload } from "./spec.ts";

/** One directive that has another value, or a vhost that has come or gone. */
export interface Change {
  /** What becomes of it. */
  readonly reload: Reload;
  /** `max_connections 1000 -> 2000 connections`, `vhost a.com: play.gop_cache on -> off`. No secrets. */
  readonly text: string;
}

/** A directive for everything, or for one vhost. */
function keyOf({ path, vhost }: Setting): string {
  return vhost === null ? path : `${vhost}\n${path}`;
}

function vhostsOf(settings: readonly Setting[]): Set<string> {
  return new Set(settings.flatMap(({ vhost }) => vhost ?? []));
}

/** What has changed, in the order of the newer settings. */
export function changesBetween(old: readonly Setting[], next: readonly Setting[]): Change[] {
  const before = new Map(old.map((setting) => [keyOf(setting), setting]));
  const changes: Change[] = [];
  for (const setting of next) {
    const was = before.get(keyOf(setting));
    if (was && was.raw !== setting.raw) {
      changes.push({ reload: setting.reload, text: changeText(was, setting) });
    }
  }
  const [had, has] = [vhostsOf(old), vhostsOf(next)];
  for (const name of has) {
    if (!had.has(name)) changes.push({ reload: "live", text: `vhost ${name} added` });
  }
  for (const name of had) {
    if (!has.has(name)) {
      changes.push({ reload: "live", text: `vhost ${name} removed, its clients may stay` });
    }
  }
  return changes;
}

/** The settings that are in effect after a reload: of those that need a restart, the old ones. */
export function inEffect(old: readonly Setting[], next: readonly Setting[]): Setting[] {
  const before = new Map(old.map((setting) => [keyOf(setting), setting]));
  return next.map((setting) => {
    return setting.reload === "restart" ? before.get(keyOf(setting)) ?? setting : setting;
  });
}

function changeText(was: Setting, { vhost, path, text }: Setting): string {
  const name = vhost === null ? path : `vhost ${vhost}: ${path.replace(/^vhost\./, "")}`;
  // The unit once is enough.
  const before = was.text.startsWith(`${was.raw} `) ? was.raw : was.text;
  return `${name} ${before} -> ${text}`;
}
