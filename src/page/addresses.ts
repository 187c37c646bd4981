/**
 * The addresses of a stream, and the commands that people use them in.
 * @module
 */

const RTMP_PORT = "1935";

/** Pictures with a clock, and a tone: every ffmpeg has them. The line printed at start has the same. */
export const SOURCE = "-re -f lavfi -i testsrc=size=640x360:rate=25 -re -f lavfi -i sine";
/** What every player and browser plays; a keyframe each second, and no frame is held back. */
export const ENCODED =
  "-c:v libx264 -preset veryfast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac";

/** What is needed to address a stream. */
export interface Target {
  /** As in the stream's identity; empty: the default one. */
  readonly vhost: string;
  readonly app: string;
  /** As in the stream's identity. */
  readonly name: string;
  /** Path and query of HTTP-FLV on the page's own port; null: it is not served. */
  readonly flv: string | null;
}

/** By what names it goes. */
export interface Addresses {
  /** OBS: server, and stream key. */
  readonly server: string;
  readonly key: string;
  readonly rtmp: string;
  readonly flv: string | null;
  readonly push: string;
  readonly play: string;
}

/** The vhost in a stream's identity, `[vhost]/app/name`; empty: the default one. */
export function vhostOf(url: string): string {
  return url.slice(0, url.indexOf("/"));
}

/** `base` is the page's directory; `listen` where the server listens for RTMP, as the API says. */
export function addressesOf(target: Target, base: URL, listen: readonly string[]): Addresses {
  const { vhost, app, name, flv } = target;
  const server = `rtmp://${rtmpHost(base.hostname, listen)}/${rtmpPath(app)}`;
  const stream = rtmpPath(name);
  // Any name in the server's address that is a vhost's own would do as well; this always does.
  const key = vhost === "" ? stream : `${stream}?vhost=${vhost}`;
  const rtmp = `${server}/${key}`;
  return {
    server,
    key,
    rtmp,
    flv: flv === null ? null : new URL(`.${flv}`, base).href,
    push: `ffmpeg ${SOURCE} ${ENCODED} -f flv ${quote(rtmp)}`,
    play: `ffplay -fflags nobuffer -flags low_delay ${quote(rtmp)}`,
  };
}

/** Host and port for RTMP: the page's host, unless RTMP listens on one address only, another one. */
function rtmpHost(host: string, listen: readonly string[]): string {
  const [, address = "0.0.0.0", port = RTMP_PORT] = /^(.*):(\d+)$/.exec(listen[0] ?? "") ?? [];
  const everywhere = address === "0.0.0.0" || address === "[::]" || address === "::";
  const local = address.startsWith("127.") && host === "localhost";
  return (everywhere || local ? host : address) + (port === RTMP_PORT ? "" : `:${port}`);
}

/**
 * For RTMP clients, which send a name as it is typed. librtmp ends a URL at a space; FFmpeg cuts
 * `.flv` off and turns `a.mp4` and `a.f4v` into `mp4:a.mp4`.
 */
function rtmpPath(name: string): string {
  return name.replaceAll(" ", "%20").replace(/\.(?=(?:mp4|f4v|flv)$)/i, "%2E");
}

/** For a shell: names may have quotes, spaces and `$`. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
