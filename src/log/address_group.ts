/**
 * Whose address it is, for what is counted by address.
 * @module
 */

/** An address, of IPv6 its /64: a host that has one address there has all of them. */
export function addressGroup(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head, tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const parts = (text: string | undefined) => text ? text.split(":") : [];
  const [front, back] = [parts(head), parts(tail)];
  const zeros = Array(Math.max(0, 8 - front.length - back.length)).fill("0");
  const groups = tail === undefined ? front : [...front, ...zeros, ...back];
  const short = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${short.join(":")}::/64`;
}
