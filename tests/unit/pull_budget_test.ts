/**
 * How many streams that nobody has seen an edge asks its origins for (H40), and where these may send it on
 * to (H60).
 * @module
 */

import assert from "node:assert/strict";
import {
  MAX_UNSEEN_PULLS_PER_ADDRESS,
  MAX_UNSEEN_PULLS_PER_VHOST,
} from "../../src/relay/edge/limits.ts";
import { PullBudget } from "../../src/relay/edge/pull_budget.ts";
import { isStreamRedirect, toNamed } from "../../src/clients/redirect_rule.ts";

Deno.test("H40: an address has its share, IPv6 by /64, and gets it back", () => {
  const budget = new PullBudget();
  const taken = Array.from({ length: MAX_UNSEEN_PULLS_PER_ADDRESS }, (_, i) => {
    assert.equal(budget.refusal("v", `2001:db8::${i}`), null, `${i}`);
    return budget.take("v", `2001:db8::${i}`);
  });
  assert.match(budget.refusal("v", "2001:db8::ffff") ?? "", /its address waits for/);
  assert.equal(budget.refusal("v", "2001:db8:0:1::1"), null, "another network");
  taken[0]();
  taken[0]();
  assert.equal(budget.refusal("v", "2001:db8::ffff"), null);
  budget.take("v", "2001:db8::1");
  assert.notEqual(budget.refusal("v", "2001:db8::ffff"), null, "given back once");
});

Deno.test("H40: so has a vhost, and others have theirs", () => {
  const budget = new PullBudget();
  for (let i = 0; i < MAX_UNSEEN_PULLS_PER_VHOST; i++) {
    budget.take("v", `10.0.${i >> 8}.${i & 255}`);
  }
  assert.match(budget.refusal("v", "192.0.2.1") ?? "", /clients wait for/);
  assert.equal(budget.refusal("w", "192.0.2.1"), null);
});

Deno.test("H60: a redirect leads to a stream, by the same scheme, at a server that is named", () => {
  const from = new URL("http://origin.example:8080/live/s.flv");
  const to = (url: string) => isStreamRedirect(from, new URL(url));
  assert.ok(to("http://other.example/live/s.flv?token=1"));
  assert.ok(!to("https://other.example/live/s.flv"));
  assert.ok(!to("http://127.0.0.1:1985/api/v1/raw?rpc=reload"));
  assert.ok(!to("http://127.0.0.1:1985/api/v1/raw?rpc=reload&x=/live/s.flv"));
  assert.ok(!to("http://127.0.0.1:1985/api/v1/raw?rpc=reload#.flv"));
  assert.ok(!to("http://127.0.0.1/.flv"));
  const rule = toNamed(["Origin.example", "::1"]);
  assert.ok(rule("origin.EXAMPLE") && rule("::1"));
  assert.ok(!rule("127.0.0.1") && !rule("localhost") && !rule("origin.example.evil"));
});
