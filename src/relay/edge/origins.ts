/**
 * Which origin is next. SRS goes round for each stream by itself and knows nothing of what it has found;
 * here all streams of a vhost begin with the origin that has last worked for one of them.
 * @module
 */

import type { OriginAddress } from "../../config/types.ts";

/** The origins of a vhost. */
export class Origins {
  readonly #list: readonly OriginAddress[];
  #working = 0;

  /** @param list At least one. */
  constructor(list: readonly OriginAddress[]) {
    this.#list = list;
  }

  get size(): number {
    return this.#list.length;
  }

  /** Index of the one to begin with. */
  get first(): number {
    return this.#working;
  }

  at(index: number): OriginAddress {
    return this.#list[index % this.#list.length];
  }

  /** This one has a stream. */
  worked(index: number): void {
    this.#working = index % this.#list.length;
  }
}

/** One stream's, or client's, way round the origins. */
export class OriginTour {
  readonly #origins: Origins;
  #at: number;
  /** Origins tried in this round. */
  #tried = 1;

  constructor(origins: Origins) {
    this.#origins = origins;
    this.#at = origins.first;
  }

  /** The origin that is to be asked. */
  get origin(): OriginAddress {
    return this.#origins.at(this.#at);
  }

  /** There is more than one. */
  get hasOthers(): boolean {
    return this.#origins.size > 1;
  }

  /** The present one has the stream. */
  worked(): void {
    this.#origins.worked(this.#at);
  }

  /** All others may be tried again. */
  newRound(): void {
    this.#tried = 1;
  }

  /** Goes to the next one. False: all have been tried, a new round begins with it. */
  advance(): boolean {
    this.#at = (this.#at + 1) % this.#origins.size;
    if (this.#tried < this.#origins.size) {
      this.#tried++;
      return true;
    }
    this.#tried = 1;
    return false;
  }
}
