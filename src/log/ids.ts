/**
 * Random identifiers in SRS's forms.
 * @module
 */

import { createHash } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The largest multiple of the alphabet's size in a byte. Larger bytes would favour some characters. */
const FAIR_BYTES = 256 - 256 % ALPHABET.length;

function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * length))) {
      if (byte < FAIR_BYTES && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

/**
 * 8 characters [0-9a-z] for one connection or internal task: the id in its log lines, its id in the
 * API and `client_id` in hooks. Also the form of SRS's service id.
 */
export function newConnectionId(): string {
  return randomText(8);
}

/** 7 characters: the id of one reload in the API. */
export function newReloadId(): string {
  return randomText(7);
}

/** `vid-` and 7 characters: the server's id in the API and in hooks. */
export function newServerId(): string {
  return `vid-${randomText(7)}`;
}

/** Characters of the id by which a server recognises a request that has passed through it. */
const HOP_ID_LENGTH = 16;

/** The names of a server in the API and in hooks. */
export interface ServerIdentity {
  readonly serverId: string;
  /** A new id for every start. */
  readonly serviceId: string;
  /**
   * A new id for every start. Only other servers receive it: with this id a client could make an origin
   * refuse an edge's request as a loop (H34).
   */
  readonly hopId: string;
}

/** Makes the identity of a server at its start. */
export function newIdentity(): ServerIdentity {
  return {
    serverId: newServerId(),
    serviceId: newConnectionId(),
    hopId: randomText(HOP_ID_LENGTH),
  };
}

/** `vid-` and 7 characters: the id of a vhost or stream entry in the API. */
export function newEntryId(): string {
  return `vid-${randomText(7)}`;
}

/** An id derived from a text, equal in every thread: for entries that several threads share. */
export function entryIdOf(text: string): string {
  const digest = createHash("sha256").update(text).digest().subarray(0, 7);
  return `vid-${Array.from(digest, (byte) => ALPHABET[byte % ALPHABET.length]).join("")}`;
}
