/**
 * The thread of program.ts: throws, and answers what it is asked.
 * @module
 */

import { faults } from "../../../src/runtime/fault_guard.ts";
import { onParentMessage, postToParent } from "../../../src/net/thread.ts";
import { throwEverywhere } from "./throwing.ts";

faults.watchProcess();
throwEverywhere("thread");
let asked = 0;
onParentMessage((message) => {
  if (message === "port") throw new Error("thread: a message of the parent");
  asked++;
  if (asked === 4) postToParent(faults.count);
  postToParent(asked === 2 ? "throw" : "pong");
});
