/**
 * JSONP: answers of the API as scripts that call a function of the page which asks. SRS's console asks
 * in no other way.
 * @module
 */

import { CALLBACK_MAX } from "../request/limits.ts";
import type { Context, MiddlewareHandler } from "hono";
import { CALLBACK, json } from "../request/answer.ts";
import { getFromOwnPage, type PageRules, scriptMayRead } from "../request/own_page.ts";

/** The name of a function, such as `angular.callbacks._0`. */
const NAME = /^[A-Za-z_$][\w$.]*$/;

const BAD_CALLBACK = "Bad Request: callback is a name of letters, digits and _ . $, " +
  `of ${CALLBACK_MAX} characters at most\n`;

/** SRS's number for what the server does not allow; its console has words for it. */
export const NOT_ALLOWED = 1062;

/** Has {@link json} answer a GET with `?callback=NAME` by a script, if the page may read the API. */
export function jsonp(rules: PageRules): MiddlewareHandler {
  return async (c, next) => {
    const name = c.req.query("callback");
    if (name === undefined || (c.req.method !== "GET" && c.req.method !== "HEAD")) {
      return await next();
    }
    if (name.length > CALLBACK_MAX || !NAME.test(name)) return c.text(BAD_CALLBACK, 400);
    c.set(CALLBACK, name);
    if (!scriptMayRead(c, rules)) return json(c, { code: NOT_ALLOWED });
    await next();
  };
}

/** Whether a request is a script's, and wants DELETE: a script's address is always asked for by GET. */
export function wantsScriptedDelete(c: Context): boolean {
  return c.get(CALLBACK) !== undefined && c.req.query("method") === "DELETE";
}

/**
 * Whether that script is on a page of ours: the browser says so. Every other page of the web can have
 * such a script too; what does not tell where it comes from is refused.
 */
export function scriptFromOwnPage(c: Context): boolean {
  const tells = c.req.header("Sec-Fetch-Site") ?? c.req.header("Referer");
  return tells !== undefined && getFromOwnPage(c, false);
}
