/**
 * The page of the server: one document with its style and its scripts in it, made of what is embedded.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { type Context, Hono } from "hono";
import { type HttpEnv, redirect } from "../request/answer.ts";
import { LICENCES, MPEGTS } from "./embedded/mpegts.ts";
import { CSS, HTML, SCRIPT } from "./embedded/page.ts";

/** The document in the forms in which it is sent. */
interface Page {
  readonly text: string;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The routes: `/` for browsers, who say that they take `text/html` (API clients, who do not, get what
 * comes after), and `/console/` for all clients, where SRS has its page.
 */
export function pageRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  let page: Page | null = null;
  const answer = (c: Context) => send(c, page ??= compose());
  routes.get("/", async (c, next) => {
    c.header("Vary", "Accept", { append: true });
    const wanted = c.req.header("Accept")?.includes("text/html");
    return wanted ? answer(c) : await next();
  });
  routes.get("/console", (c) => redirect(c, "/console/"));
  routes.get("/console/", answer);
  routes.get("/console/licences.txt", (c) => c.text(unpack(LICENCES)));
  return routes;
}

function send(c: Context, { text, gzip, headers }: Page): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  c.header("Vary", "Accept-Encoding", { append: true });
  if (c.req.header("If-None-Match") === headers.ETag) return c.body(null, 304);
  c.header("Content-Type", "text/html; charset=utf-8");
  if (!/\bgzip\b/.test(c.req.header("Accept-Encoding") ?? "")) return c.body(text);
  c.header("Content-Encoding", "gzip");
  return c.body(gzip);
}

/** Some ms of work: done when the page is first asked for. */
function compose(): Page {
  const scripts = [unpack(MPEGTS), SCRIPT].map(inline);
  const text = put(
    put(HTML, "<style></style>", `<style>${CSS}</style>`),
    "</body>",
    `${scripts.map((script) => `<script>${script}</script>`).join("\n")}\n</body>`,
  );
  return {
    text,
    gzip: new Uint8Array(gzipSync(text)),
    headers: {
      "Content-Security-Policy": policy(scripts, CSS),
      "Referrer-Policy": "same-origin",
      "Cache-Control": "no-cache",
      // Weak: one for the packed form and the other.
      "ETag": `W/"${digest(text).slice(0, 22)}"`,
    },
  };
}

/** Nothing but what is in the document runs, and nothing leaves for elsewhere. */
function policy(scripts: readonly string[], style: string): string {
  const hash = (text: string) => `'sha256-${digest(text)}'`;
  return [
    "default-src 'none'",
    `script-src ${scripts.map(hash).join(" ")}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "media-src 'self' blob:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/** A script's text as it may stand in a document. */
function inline(script: string): string {
  return script.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

/** Not by a pattern, and not by a text in which `$` means something. */
function put(document: string, place: string, text: string): string {
  const at = document.lastIndexOf(place);
  return document.slice(0, at) + text + document.slice(at + place.length);
}

function unpack(base64: string): string {
  return gunzipSync(Buffer.from(base64, "base64")).toString();
}
