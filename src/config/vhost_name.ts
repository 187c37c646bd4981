/**
 * When two spellings name one vhost: host names have no case, and a full one may end in a dot (H47). SRS
 * compares letter by letter, so that `CAM.example.com` is served by the default vhost, past the rules of
 * the one that is meant.
 * @module
 */

/** Name of the vhost that serves all names without a block of their own. */
export const DEFAULT_VHOST = "__defaultVhost__";

/** The spelling by which names of vhosts are compared; browsers send names of other scripts in ASCII. */
export function vhostKey(name: string): string {
  const lower = name.toLowerCase().replace(/(.)\.$/, "$1");
  // deno-lint-ignore no-control-regex -- all that is not ASCII
  if (!/[^\x00-\x7f]/.test(lower)) return lower;
  const url = `http://${lower}/`;
  return URL.canParse(url) ? new URL(url).hostname : lower;
}

/** Whether two names are of one vhost. */
export function isSameVhost(a: string, b: string): boolean {
  return a === b || vhostKey(a) === vhostKey(b);
}
