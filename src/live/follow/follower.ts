/**
 * A follower reads a stream's entries from its cursor to the head at the end of each read of the
 * publisher's socket, and makes something of its own of them: the copy for another thread, a forward.
 * @module
 */

/** What a stream asks of its followers, and tells them. */
export interface Follower {
  /** Players behind it, which count as the stream's audience; 0: it counts as none. */
  readonly audience: number;
  /** It reads entries: they are written even while there is no player. */
  readonly reads: boolean;
  /** The stream is to come from its origin for it, players or not. */
  readonly needsStream: boolean;
  /** The first entry that it has still to read; Infinity: it needs none for now. */
  readonly cursor: number;
  /** A publisher begins, or it follows a stream that has one. */
  begin(): void;
  /** Reads what is new. Also called before headers change: what came before belongs to the old ones. */
  pull(): void;
  /** Readers that wait for a keyframe resume at this entry. */
  resumeAt(entry: number): void;
  /** Once a second: leaves out what it is too far behind with. */
  checkLag(): void;
  /**
   * The log holds more than it may: leaves out what it has not read. The log keeps nothing for a follower
   * that does not.
   */
  dropBacklog(): void;
  /** The entries before `min` are trimmed next: holds the memory of writes that are in flight. */
  trimming(min: number): void;
  /** The publisher is gone. `ended`: players are to be told. */
  end(ended: boolean): void;
}

/** The followers of one stream. */
export class Followers {
  #list: readonly Follower[] = [];

  /** Adds a follower; `remove` takes it away. */
  add(follower: Follower): void {
    this.#list = [...this.#list, follower];
  }

  /** False: it is none of these. */
  remove(follower: Follower): boolean {
    const { length } = this.#list;
    this.#list = this.#list.filter((other) => other !== follower);
    return this.#list.length < length;
  }

  /** Players behind all of them. */
  get audience(): number {
    let sum = 0;
    for (const { audience } of this.#list) sum += audience;
    return sum;
  }

  /** Whether any of them reads entries. */
  get reads(): boolean {
    return this.#list.some(({ reads }) => reads);
  }

  /** Whether the stream is to come from its origin for any of them. */
  get needStream(): boolean {
    return this.#list.some(({ needsStream }) => needsStream);
  }

  /** The oldest entry that one of them has still to read; Infinity: none. */
  get cursor(): number {
    let min = Infinity;
    for (const { cursor } of this.#list) if (cursor < min) min = cursor;
    return min;
  }

  // A follower may leave while it is told something: the list that is walked stays as it is.

  begin(): void {
    for (const follower of this.#list) follower.begin();
  }

  pull(): void {
    for (const follower of this.#list) follower.pull();
  }

  resumeAt(entry: number): void {
    for (const follower of this.#list) follower.resumeAt(entry);
  }

  checkLag(): void {
    for (const follower of this.#list) follower.checkLag();
  }

  dropBacklog(): void {
    for (const follower of this.#list) follower.dropBacklog();
  }

  trimming(min: number): void {
    for (const follower of this.#list) follower.trimming(min);
  }

  end(ended: boolean): void {
    for (const follower of this.#list) follower.end(ended);
  }
}
