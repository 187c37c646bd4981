/**
 * Names that clients invent leave nothing behind. 10,000 of each.
 * @module
 */
import { inventedNames } from "../tools/invented_names.ts";

await inventedNames(10_000);
