/**
 * A worker's link to the streams of the others: asks the coordinator who may publish, sends what is
 * published here to the workers that play it, and takes in what is published elsewhere and played here.
 * @module
 */

import type { MirrorMessage } from "../live/mirror/message.ts";
import { Mirror } from "../live/mirror/receiver.ts";
import type { Hub } from "../live/stream/hub.ts";
import type { HubListener, LiveStream } from "../live/stream/live_stream.ts";
import { MirrorSenders } from "../live/mirror/senders.ts";
import { clearFor, whileKept } from "../live/publication/clearing.ts";
import { CLEAR, type Clearance } from "../live/publication/takeover.ts";
import { TimeCell } from "../live/mirror/time_cell.ts";
import { type Answer, ErrorCode } from "../rtmp/error.ts";
import type { Claims } from "../live/stream/claims.ts";
import type { ToCoordinator, ToPeer, ToWorker } from "./messages.ts";

/** Where a link's messages go. */
export interface LinkPosts {
  coordinator(message: ToCoordinator): void;
  /** To a worker that may have ended already. */
  peer(worker: number, message: ToPeer): void;
}

type Grant = Extract<ToWorker, { kind: "grant" }>;

interface PendingClaim {
  readonly stream: LiveStream;
  readonly answer: Answer;
}

/** What passes between one stream and other workers. */
interface Copy {
  /** The other threads that play the stream while it is published in this one. */
  readonly senders: MirrorSenders;
  /** The stream as a copy, while it is published in another one. */
  readonly mirror: Mirror;
  timeCell: TimeCell | null;
  /** The worker that sends it now; null: none. */
  from: number | null;
  /** Players that it has been told of; null: nothing yet. */
  told: number | null;
  /** What others have sent before that one's end has come: it is on another way, and may be late. */
  readonly early: Map<number, MirrorMessage[]>;
  /** A grant that has come before it. */
  grant: Grant | null;
}

/** One worker's side. Driven by calls alone. */
export class StreamLink implements HubListener, Claims {
  readonly #posts: LinkPosts;
  readonly #copies = new Map<string, Copy>();
  readonly #claims = new Map<number, PendingClaim>();
  readonly #clearings = new Map<number, (found: Clearance) => void>();
  #nextClaim = 1;
  #hub: Hub | null = null;
  #departed: (key: string) => Promise<void> = () => Promise.resolve();

  constructor(posts: LinkPosts) {
    this.#posts = posts;
  }

  /**
   * The hub that has this link for its listener. `departed` settles when the end of publishers of a
   * stream that have gone is delivered to hook servers.
   */
  attach(hub: Hub, departed: (key: string) => Promise<void> = () => Promise.resolve()): void {
    this.#hub = hub;
    this.#departed = departed;
  }

  // ---- from the hub and the sessions

  obtained(stream: LiveStream): void {
    const { key } = stream;
    this.#copies.set(key, {
      senders: new MirrorSenders(stream),
      mirror: new Mirror(stream),
      timeCell: null,
      from: null,
      told: null,
      early: new Map(),
      grant: null,
    });
    this.#posts.coordinator({ kind: "watch", key });
  }

  forgotten({ key }: LiveStream): void {
    this.#copies.delete(key);
    this.#posts.coordinator({ kind: "unwatch", key });
  }

  audienceChanged(stream: LiveStream): void {
    const copy = this.#copies.get(stream.key);
    if (!copy || copy.from === null || copy.told === stream.localPlayers) return;
    const players = stream.localPlayers;
    copy.told = players;
    const { key } = stream;
    this.#posts.peer(copy.from, { kind: "audience", key, players });
  }

  unpublished(stream: LiveStream): void {
    // After this turn: another publisher of this worker may be taking over in it.
    queueMicrotask(() => this.#releaseUnless(stream));
  }

  clear(
    { key }: LiveStream,
    address: string | null,
    done: (found: Clearance) => void,
  ): void {
    const id = this.#nextClaim++;
    this.#clearings.set(id, done);
    this.#posts.coordinator({ kind: "clear", id, key, address });
  }

  claim(stream: LiveStream, address: string, answer: Answer): void {
    const id = this.#nextClaim++;
    stream.reserve();
    this.#claims.set(id, { stream, answer });
    const { key, vhost, app, name } = stream;
    this.#posts.coordinator({ kind: "claim", id, key, address, vhost: vhost.name, app, name });
  }

  /** Once a second. */
  tick(): void {
    for (const stream of this.#hub?.streams ?? []) this.audienceChanged(stream);
  }

  // ---- from the coordinator

  /** What concerns streams; the rest is nothing for a link. */
  fromCoordinator(message: ToWorker): void {
    switch (message.kind) {
      case "grant":
        return this.#granted(message);
      case "deny":
        return this.#denied(message.id);
      case "clear":
        return this.#clear(message.id, message.key, message.address);
      case "cleared":
        return this.#cleared(message.id, message.found);
      case "yield":
        return this.#yield(message.key, message.address);
      case "subscribe":
        return this.#copies.get(message.key)?.senders.open(
          message.worker,
          this.#mirrorTo(message.key),
        );
      case "unsubscribe":
        return this.#copies.get(message.key)?.senders.close(message.worker);
      case "gone":
        return this.#gone(message.worker);
    }
  }

  #granted(grant: Grant): void {
    const copy = this.#copies.get(grant.key);
    if (copy && copy.from !== null) copy.grant = grant;
    else this.#take(grant);
  }

  #take(grant: Grant): void {
    const claim = this.#claims.get(grant.id);
    this.#claims.delete(grant.id);
    if (!claim) return;
    const { stream, answer } = claim;
    const copy = this.#copies.get(grant.key);
    if (copy) copy.senders.epoch = grant.epoch;
    if (!stream.published) {
      const cell = new Float64Array(grant.time);
      if (copy?.timeCell) stream.unfollow(copy.timeCell);
      const timeCell = new TimeCell(stream, cell);
      stream.follow(timeCell);
      stream.inherit(cell[0], grant.evicted);
      if (copy) {
        copy.timeCell = timeCell;
        copy.senders.set(grant.watchers, this.#mirrorTo(grant.key));
      }
    }
    answer(null);
    stream.unreserve();
    this.#releaseUnless(stream);
  }

  #denied(id: number): void {
    const claim = this.#claims.get(id);
    this.#claims.delete(id);
    if (!claim) return;
    const { stream, answer } = claim;
    const text = `stream ${stream.key} is being published already`;
    answer({ code: ErrorCode.STREAM_BUSY, reason: text });
    stream.unreserve();
  }

  #clear(id: number, key: string, address: string | null): void {
    const stream = this.#find(key);
    const done = (found: Clearance) => {
      const answer = () => this.#posts.coordinator({ kind: "cleared", id, found });
      // A refusal needs no waiting.
      if (found.kept) answer();
      else void this.#departed(key).then(answer);
    };
    if (stream && address !== null) return clearFor(stream, address, done);
    stream?.replaceUplinks(null);
    done(CLEAR);
  }

  #cleared(id: number, found: Clearance): void {
    const done = this.#clearings.get(id);
    this.#clearings.delete(id);
    done?.(found);
  }

  #yield(key: string, address: string): void {
    const stream = this.#find(key);
    let yes = true;
    const done = () =>
      this.#posts.coordinator({ kind: "yielded", key, yes, evicted: stream?.evicted ?? [] });
    if (!stream) return done();
    whileKept(stream, () => {
      const promised = (this.#copies.get(key)?.grant ?? null) !== null;
      yes = !promised && stream.yield(address);
      return !yes && stream.published;
    }, done);
  }

  #gone(worker: number): void {
    for (const stream of this.#hub?.streams ?? []) {
      const copy = this.#copies.get(stream.key);
      if (!copy) continue;
      copy.senders.close(worker);
      copy.early.delete(worker);
      if (copy.from === worker) {
        copy.mirror.end();
        this.#ended(stream, copy);
      }
    }
  }

  #releaseUnless(stream: LiveStream): void {
    if (stream.published || stream.held) return;
    const epoch = this.#copies.get(stream.key)?.senders.epoch ?? 0;
    if (epoch > 0) this.#posts.coordinator({ kind: "release", key: stream.key, epoch });
  }

  // ---- from other workers

  /** A message from worker number `from`. */
  fromPeer(from: number, message: ToPeer): void {
    const stream = this.#find(message.key);
    const copy = this.#copies.get(message.key);
    if (!stream || !copy) return;
    switch (message.kind) {
      case "mirror":
        return this.#mirrored(stream, from, message.message);
      case "returned":
        return copy.senders.returned(from, message.sender, message.segment, message.held);
      case "audience":
        return copy.senders.audience(from, message.players);
    }
  }

  /** Feeds are taken one after the other: what an owner sent last is not lost to the next one. */
  #mirrored(stream: LiveStream, from: number, message: MirrorMessage): void {
    const copy = this.#copies.get(stream.key);
    if (!copy || stream.published) return;
    if (copy.from !== null && copy.from !== from) {
      const early = copy.early.get(from);
      if (early) early.push(message);
      else if (message.kind === "begin") copy.early.set(from, [message]);
      return;
    }
    if (message.kind === "begin") {
      copy.from = from;
      // It may still count players that have gone between two publishers.
      copy.told = null;
      const { sender } = message;
      const { key } = stream;
      copy.mirror.take(message, (segment, held) => {
        this.#posts.peer(from, { kind: "returned", key, sender, segment, held });
      });
      this.audienceChanged(stream);
    } else {
      copy.mirror.take(message, () => {});
      if (message.kind === "end") this.#ended(stream, copy);
    }
  }

  /** What another worker has sent is over: what waited for that is next. */
  #ended(stream: LiveStream, copy: Copy): void {
    copy.from = null;
    const { grant } = copy;
    copy.grant = null;
    if (grant) return this.#take(grant);
    const [next] = [...copy.early].sort(([, a], [, b]) => epochOf(a) - epochOf(b));
    if (!next) return;
    const [from, messages] = next;
    copy.early.delete(from);
    for (const message of messages) this.#mirrored(stream, from, message);
  }

  #find(key: string): LiveStream | null {
    return this.#hub?.find(key) ?? null;
  }

  #mirrorTo(key: string): (worker: number, message: MirrorMessage) => void {
    return (worker, message) => this.#posts.peer(worker, { kind: "mirror", key, message });
  }
}

function epochOf([first]: MirrorMessage[]): number {
  return first?.kind === "begin" ? first.epoch : Infinity;
}
