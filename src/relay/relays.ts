/**
 * All that this server does as a client of others: the pulls and uplinks of an edge, the forwards.
 * @module
 */

import type { EdgeConfig } from "../config/types.ts";
import {
  isStreamUrl,
  maskedDestination,
  maskedKey,
  parseServer,
} from "../config/directives/upstreams.ts";
import type { Clock } from "../live/clock.ts";
import type { LiveStream } from "../live/stream/live_stream.ts";
import { newConnectionId } from "../log/ids.ts";
import { lineBudget } from "../log/budget.ts";
import { connectionLog } from "../log/log.ts";
import { peerText } from "../log/text.ts";
import { formatAddress } from "../net/tcp.ts";
import { type Answer, ErrorCode, type Refusal, RtmpError } from "../rtmp/error.ts";
import { upstreamVhost } from "../rtmp/stream_name.ts";
import {
  askedTcUrl,
  originTarget,
  originUrl,
  type RelayClient,
  upnodeArgs,
  upstreamName,
  upstreamParam,
} from "../clients/on_behalf.ts";
import { Uplink } from "./edge/publish.ts";
import {
  EdgePull,
  type PullAttempt,
  type PullHost,
  type PullState,
  type PullView,
} from "./edge/pull.ts";
import { askBackend, type BackendIdentity } from "./forward/backend.ts";
import { Forwarder, type ForwardState, type ForwardView } from "./forward/forwarder.ts";
import { CONNECT_ONE_OF_SEVERAL_MS, TRAVERSE_CONNECT_MS } from "./edge/limits.ts";
import { FORWARD_CONNECT_MS } from "./forward/limits.ts";
import { CONNECT_TIMEOUT_MS } from "../clients/limits.ts";
import { Origins, OriginTour } from "./edge/origins.ts";
import { PullBudget } from "./edge/pull_budget.ts";
import { type RedirectRule, toNamed } from "../clients/redirect_rule.ts";
import type { Self } from "../clients/self.ts";
import { parseTarget, type RtmpTarget } from "../clients/target.ts";
import { TokenTraverse } from "./edge/token_traverse.ts";
import { openFlv, openRtmp, type Upstream } from "../clients/upstream.ts";

/** Takes the destinations of a stream, or why it cannot be published. */
export type DestinationsAnswer = (destinations: readonly string[] | Refusal) => void;

/** What the rest of the server asks of the relays. */
export interface RelayService {
  /** Why a connection that has come through these servers is refused; null: it is not (H34). */
  refuse(hops: readonly string[]): Refusal | null;
  /** Asks an origin whether it knows the client, if `token_traverse` says so. */
  admit(client: RelayClient, answer: Answer): void;
  /** Why a client may not have a stream asked for; null: it may, or it need not be. */
  mayPull(stream: LiveStream, client: RelayClient): Refusal | null;
  /** The client is about to play a stream. */
  play(stream: LiveStream, client: RelayClient): void;
  /** A player of RTMP has left the stream. */
  left(stream: LiveStream): void;
  /** Opens the way to the origin for a publisher; the vhost is an edge. */
  openUplink(client: RelayClient, edge: EdgeConfig, answer: Answer): Uplink;
  /** Where a stream is to be forwarded that the client is about to publish. */
  destinations(client: RelayClient, answer: DestinationsAnswer): void;
  /** A stream is published from now on, by the client or on its behalf; not any more. */
  published(stream: LiveStream, client: RelayClient, destinations: readonly string[]): void;
  unpublished(stream: LiveStream): void;
}

/** For a server without any: streams come from their publishers and go to their players. */
export const NO_RELAYS: RelayService = {
  refuse: () => null,
  admit: (_client, answer) => void answer(null),
  mayPull: () => null,
  play: () => {},
  left: () => {},
  openUplink: () => {
    throw new TypeError("there is no edge here");
  },
  destinations: (_client, answer) => answer([]),
  published: () => {},
  unpublished: () => {},
};

/** What the relays need of the server around them. */
export interface RelayHost {
  readonly clock: Clock;
  readonly self: Self;
  readonly identity: BackendIdentity;
  readonly pid: number;
  /** Asks whether this thread may publish a stream. */
  claim(stream: LiveStream, address: string, answer: Answer): void;
}

/** Counters and gauges of all relays. */
export interface RelayFigures {
  readonly pulls: Readonly<Partial<Record<PullState, number>>>;
  readonly forwards: Readonly<Partial<Record<ForwardState, number>>>;
  readonly uplinks: number;
  /** Attempts after the first one, since the start. */
  readonly pullRetries: number;
  readonly forwardRetries: number;
}

/** Those of a server without any. */
export const NO_RELAY_FIGURES: RelayFigures = {
  pulls: {},
  forwards: {},
  uplinks: 0,
  pullRetries: 0,
  forwardRetries: 0,
};

/** The figures of two threads together. */
export function sumOfRelays(a: RelayFigures, b: RelayFigures): RelayFigures {
  return {
    pulls: sumOfStates(a.pulls, b.pulls),
    forwards: sumOfStates(a.forwards, b.forwards),
    uplinks: a.uplinks + b.uplinks,
    pullRetries: a.pullRetries + b.pullRetries,
    forwardRetries: a.forwardRetries + b.forwardRetries,
  };
}

function sumOfStates<S extends string>(
  a: Readonly<Partial<Record<S, number>>>,
  b: Readonly<Partial<Record<S, number>>>,
): Readonly<Partial<Record<S, number>>> {
  const sum: Partial<Record<S, number>> = { ...a };
  for (const state in b) sum[state] = (sum[state] ?? 0) + (b[state] ?? 0);
  return sum;
}

/** The relays of a server, or of one of its threads. */
export class Relays implements RelayService {
  readonly #host: RelayHost;
  /** By the block of the configuration: a reload makes new ones. */
  readonly #origins = new WeakMap<EdgeConfig, Origins>();
  readonly #pulls = new Map<LiveStream, EdgePull>();
  readonly #budget = new PullBudget();
  readonly #forwards = new Map<LiveStream, readonly Forwarder[]>();
  readonly #uplinks = new Set<Uplink>();
  /** What pulls and forwards that are over have counted. */
  #goneRetries = { pulls: 0, forwards: 0 };

  constructor(host: RelayHost) {
    this.#host = host;
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    for (const pull of [...this.#pulls.values()]) pull.tick(nowMs);
  }

  /** The server stops. */
  stop(): void {
    for (const pull of [...this.#pulls.values()]) pull.stop("the server stops");
    for (const stream of [...this.#forwards.keys()]) this.unpublished(stream);
    for (const uplink of this.#uplinks) uplink.close();
    this.#uplinks.clear();
  }

  // ---- figures

  /** The pull of a stream; null: there is none here. */
  pullOf(stream: LiveStream): PullView | null {
    return this.#pulls.get(stream)?.view ?? null;
  }

  /** The forwards of a stream. */
  forwardsOf(stream: LiveStream): readonly ForwardView[] {
    return (this.#forwards.get(stream) ?? []).map(({ view }) => view);
  }

  get figures(): RelayFigures {
    const pulls: Partial<Record<PullState, number>> = {};
    const forwards: Partial<Record<ForwardState, number>> = {};
    let { pulls: pullRetries, forwards: forwardRetries } = this.#goneRetries;
    for (const { state, retries } of this.#pulls.values()) {
      pulls[state] = (pulls[state] ?? 0) + 1;
      pullRetries += retries;
    }
    for (const { state, retries } of [...this.#forwards.values()].flat()) {
      forwards[state] = (forwards[state] ?? 0) + 1;
      forwardRetries += retries;
    }
    return { pulls, forwards, uplinks: this.#uplinks.size, pullRetries, forwardRetries };
  }

  // ---- `RelayService`

  refuse(hops: readonly string[]): Refusal | null {
    const reason = this.#host.self.refuse(hops);
    return reason === null ? null : { code: ErrorCode.LOOP, reason };
  }

  admit(client: RelayClient, answer: Answer): void {
    const { edge } = client.vhost;
    if (!edge?.tokenTraverse) return void answer(null);
    const { clock, self } = this.#host;
    // Its address is nothing that a client is to learn (H50).
    const refuse = (text: string) => {
      lineBudget.log(client.id, client.ip).warn(`token traverse refused: ${text}`);
      return answer({ code: ErrorCode.ORIGIN, reason: "the origin does not let it in" });
    };
    new TokenTraverse(this.#tour(edge), (tour, handler) => {
      const target = originTarget(client, edge, tour.origin);
      const upstream = openRtmp(
        target,
        {
          role: "play",
          tcUrl: askedTcUrl(client, edge),
          pageUrl: client.pageUrl,
          swfUrl: client.swfUrl,
          ...(client.args ? { args: client.args } : {}),
          hops: self.onward(client.hops),
          connectTimeoutMs: TRAVERSE_CONNECT_MS,
          mayRedirect: toOrigins(edge),
        },
        handler,
        clock,
      );
      return { name: formatAddress(target), publish: () => true, close: () => upstream.close() };
    }, (refusal) => refusal === null ? answer(null) : refuse(refusal));
  }

  mayPull(stream: LiveStream, client: RelayClient): Refusal | null {
    if (!client.vhost.edge || stream.active || this.#pulls.has(stream)) return null;
    const reason = this.#budget.refusal(client.vhost.name, client.ip);
    return reason === null ? null : { code: ErrorCode.ORIGIN, reason };
  }

  play(stream: LiveStream, client: RelayClient): void {
    const { edge } = client.vhost;
    if (!edge) return;
    const known = this.#pulls.get(stream);
    const waits = client.transport === "flv";
    if (known) return known.wantedBy(client.hops, waits);
    if (this.mayPull(stream, client) !== null) return;
    const log = lineBudget.log(newConnectionId(), client.ip);
    const pull = new EdgePull(
      stream,
      this.#tour(edge),
      this.#pullHost(stream, client, edge),
      log,
      client.hops,
      waits,
    );
    if (pull.state !== "over") this.#pulls.set(stream, pull);
  }

  left(stream: LiveStream): void {
    this.#pulls.get(stream)?.left();
  }

  openUplink(client: RelayClient, edge: EdgeConfig, answer: Answer): Uplink {
    const { clock, self } = this.#host;
    const uplink: Uplink = new Uplink(
      peerText(`${client.app}/${client.stream}`),
      this.#tour(edge),
      {
        clock,
        isSelf: (peer) => self.is(peer),
        open: (tour, handler) => {
          const target = originTarget(client, edge, tour.origin);
          const upstream = openRtmp(
            target,
            {
              role: "publish",
              ...this.#common(client, edge, tour, client.hops),
            },
            handler,
            clock,
          );
          return {
            name: formatAddress(target),
            publish: (type, timestamp, payload) => upstream.publish(type, timestamp, payload),
            close: () => upstream.close(),
          };
        },
        over: () => void this.#uplinks.delete(uplink),
      },
      lineBudget.log(client.id, client.ip),
      answer,
    );
    this.#uplinks.add(uplink);
    return uplink;
  }

  destinations(client: RelayClient, answer: DestinationsAnswer): void {
    const { forward } = client.vhost;
    if (!forward) return answer([]);
    if (forward.backend === null) return answer(forward.destinations);
    askBackend(forward.backend, client, this.#host.identity).then(answer, (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      lineBudget.log(client.id, client.ip).warn(`forward backend of no use: ${peerText(reason)}`);
      answer({ code: ErrorCode.FORWARD, reason: "the forward backend is of no use" });
    });
  }

  published(stream: LiveStream, client: RelayClient, destinations: readonly string[]): void {
    if (destinations.length === 0) return;
    this.unpublished(stream);
    const log = lineBudget.log(client.id, client.ip);
    const forwards: Forwarder[] = [];
    for (const destination of destinations) {
      try {
        forwards.push(this.#forward(stream, client, destination));
      } catch (error) {
        if (!(error instanceof RtmpError)) throw error;
        log.error(`forward to ${maskedDestination(destination)}: ${error.message}`);
      }
    }
    this.#forwards.set(stream, forwards);
  }

  unpublished(stream: LiveStream): void {
    const forwards = this.#forwards.get(stream) ?? [];
    this.#forwards.delete(stream);
    for (const forward of forwards) {
      this.#goneRetries.forwards += forward.retries;
      forward.stop();
    }
  }

  // ---- inside

  #tour(edge: EdgeConfig): OriginTour {
    let origins = this.#origins.get(edge);
    if (!origins) {
      origins = new Origins(edge.origins);
      this.#origins.set(edge, origins);
    }
    return new OriginTour(origins);
  }

  #pullHost(stream: LiveStream, client: RelayClient, edge: EdgeConfig): PullHost {
    const { clock, self } = this.#host;
    const byHttp = client.transport === "flv" && edge.followClient;
    const protocol = byHttp ? "flv" : edge.protocol;
    // Where an HTTP origin has sent us on to: the next attempt may go there at once (S11).
    let moved: URL | null = null;
    const giveBack = this.#budget.take(client.vhost.name, client.ip);
    return {
      clock,
      random: Math.random,
      isSelf: (peer) => self.is(peer),
      claim: (answer) => this.#host.claim(stream, "origin", (refusal) => answer(refusal === null)),
      redirected: (url) => {
        if (protocol !== "rtmp") moved = new URL(url);
      },
      open: (tour, hops, handler) => {
        const common = this.#common(client, edge, tour, hops);
        if (protocol !== "rtmp") {
          const url = moved ?? originUrl(client, protocol, edge, tour.origin);
          moved = null;
          const { hops } = common;
          const mayRedirect = toOrigins(edge);
          const upstream = openFlv(url, { hops, mayRedirect }, handler, clock);
          return attemptAt(url.host, upstream);
        }
        const target = originTarget(client, edge, tour.origin);
        const upstream = openRtmp(
          target,
          {
            role: "play",
            enhanced: true,
            pings: true,
            onUnpublish: "keep",
            ...common,
          },
          handler,
          clock,
        );
        return attemptAt(formatAddress(target), upstream);
      },
      published: () => {
        giveBack();
        this.destinations(client, (found) => {
          if ("reason" in found) lineBudget.log(client.id, client.ip).error(found.reason);
          else if (stream.published) this.published(stream, client, found);
        });
      },
      unpublished: () => this.unpublished(stream),
      over: () => {
        giveBack();
        this.#goneRetries.pulls += this.#pulls.get(stream)?.retries ?? 0;
        this.#pulls.delete(stream);
      },
    };
  }

  /** What an edge says to its origin, in either direction. */
  #common(client: RelayClient, edge: EdgeConfig, tour: OriginTour, hops: readonly string[]) {
    const { self, pid, identity } = this.#host;
    return {
      pageUrl: client.pageUrl,
      swfUrl: client.swfUrl,
      hops: self.onward(hops),
      chunkSize: client.vhost.chunkSize,
      mayRedirect: toOrigins(edge),
      connectTimeoutMs: tour.hasOthers ? CONNECT_ONE_OF_SEVERAL_MS : CONNECT_TIMEOUT_MS,
      ...(edge.debugUpnode ? { args: upnodeArgs(identity.serverId, pid, client.id) } : {}),
    };
  }

  #forward(stream: LiveStream, client: RelayClient, destination: string): Forwarder {
    const { clock, self } = this.#host;
    const target = forwardTarget(client, destination);
    const key = target.label === undefined ? "" : target.stream;
    return new Forwarder(stream, maskedDestination(destination), {
      clock,
      random: Math.random,
      isSelf: (peer) => self.is(peer),
      hide: (text) => key === "" ? text : text.replaceAll(key, maskedKey(key)),
      open: (chunkSize, handler) =>
        openRtmp(
          target,
          {
            role: "publish",
            hops: self.onward(client.hops),
            chunkSize,
            connectTimeoutMs: FORWARD_CONNECT_MS,
            mayRedirect: toNamed([target.host]),
          },
          handler,
          clock,
        ),
    }, connectionLog(newConnectionId()));
  }
}

function toOrigins({ origins }: EdgeConfig): RedirectRule {
  return toNamed(origins.map(({ host }) => host));
}

function attemptAt(name: string, upstream: Upstream): PullAttempt {
  return {
    name,
    get recvBytes() {
      return upstream.recvBytes;
    },
    close: () => upstream.close(),
  };
}

/**
 * The stream at a destination of `forward`: the same name there, unless the destination names one.
 * @throws {RtmpError} when the destination is of no use.
 */
export function forwardTarget(client: RelayClient, destination: string): RtmpTarget {
  if (isStreamUrl(destination)) {
    const target = parseTarget(destination);
    return { ...target, label: maskedKey(target.stream) };
  }
  const server = parseServer(destination);
  if (!server) throw new RtmpError(ErrorCode.FORWARD, "it is no host:port");
  const vhost = upstreamVhost(client.vhost.name, client.param);
  return {
    schema: "rtmp",
    host: server.host,
    port: server.port ?? 1935,
    app: client.app,
    stream: upstreamName(client) + upstreamParam(client, vhost),
    vhost: vhost || null,
  };
}
