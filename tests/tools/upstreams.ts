/**
 * What the tests of edges and forwards ask of the API.
 * @module
 */
import { until } from "./process.ts";
import type { Server } from "./server.ts";

/** The part of a stream in the API that is looked at here. */
export interface StreamFigures {
  readonly url: string;
  readonly clients: number;
  readonly publish: { readonly active: boolean };
  readonly edge: {
    readonly players: number;
    readonly upstream: UpstreamFigures | null;
    readonly forwards: readonly ForwardFigures[];
  };
}

/** The `upstream` of a stream. */
export interface UpstreamFigures {
  readonly origin: string | null;
  readonly state: string;
  readonly since_ms: number;
  readonly retries: number;
  readonly last_error: string | null;
}

/** One of its `forwards`. */
export interface ForwardFigures {
  readonly destination: string;
  readonly state: string;
  readonly lag_ms: number;
  readonly dropped_messages: number;
  readonly send_bytes: number;
  readonly retries: number;
  readonly last_error: string | null;
}

/** The stream of this key; null: the server does not know it. */
export async function streamOf(server: Server, key: string): Promise<StreamFigures | null> {
  const { streams } = await server.api("/api/v1/streams/?count=100") as {
    streams: StreamFigures[];
  };
  return streams.find(({ url }) => url === key) ?? null;
}

/** Waits until the API shows what is wanted of a stream, and returns it. */
export async function untilStream(
  what: string,
  server: Server,
  key: string,
  limitMs: number,
  wanted: (stream: StreamFigures) => boolean,
): Promise<StreamFigures> {
  let seen: StreamFigures | null = null;
  try {
    return await until(what, limitMs, async () => {
      seen = await streamOf(server, key);
      return seen && wanted(seen) ? seen : null;
    });
  } catch (error) {
    throw new Error(
      `${error instanceof Error ? error.message : error}; the API shows ${JSON.stringify(seen)}`,
    );
  }
}
