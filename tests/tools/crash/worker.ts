/**
 * A worker of the server's own that ends as a fault would end it: by an exception that nobody catches,
 * when somebody asks for it by making the file that SRS_EDGE_TEST_CRASH names. One worker dies of it.
 * @module
 */

import { unlinkSync } from "node:fs";
import process from "node:process";
import "../../../src/app/worker.ts";

/** ms between two looks for the file. */
const LOOK_MS = 50;

const file = process.env.SRS_EDGE_TEST_CRASH ?? "";

setInterval(() => {
  try {
    unlinkSync(file);
  } catch {
    return;
  }
  // The net below a worker would catch it.
  process.removeAllListeners("uncaughtException");
  throw new Error("a fault in a worker");
}, LOOK_MS);
