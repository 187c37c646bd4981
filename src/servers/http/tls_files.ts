/**
 * Key and certificate files of HTTPS, and what is wrong with them: the runtimes' own words for that are
 * a TLS library's.
 * @module
 */

import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { readProblem } from "../../config/read_problem.ts";
import type { HttpsConfig } from "../../config/types.ts";
import type { TlsFiles } from "../../net/tls.ts";

/** Paths of the two files. */
type Paths = Pick<HttpsConfig, "key" | "cert">;

/** What each file must have in it: the label behind BEGIN. */
const WANTED = {
  key: { label: /^(?:[A-Z]+ )?PRIVATE KEY$/, name: "private key" },
  cert: { label: /^(?:X509 |TRUSTED )?CERTIFICATE$/, name: "certificate" },
} as const;

/**
 * Reads both files.
 * @throws Error that names the file, what is wrong with it, and the cure.
 */
export async function readTlsFiles(paths: Paths): Promise<TlsFiles> {
  const files = {
    key: await readPem("key", paths.key),
    cert: await readPem("cert", paths.cert),
  };
  const problem = tlsProblem(files, paths);
  if (problem) throw new Error(`https: ${problem}`);
  return files;
}

async function readPem(what: keyof Paths, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Error(
      `https: cannot read ${what} ${path}: ${readProblem(error)}. Correct the path in https { }`,
    );
  }
}

/** What is wrong with two files for certain, with the cure; null: nothing that can be told from here. */
export function tlsProblem(files: TlsFiles, paths: Paths): string | null {
  const labels = { key: labelsOf(files.key), cert: labelsOf(files.cert) };
  const swapped = !has(labels.key, "key") && has(labels.key, "cert") &&
    !has(labels.cert, "cert") && has(labels.cert, "key");
  if (swapped) {
    return `key ${paths.key} is a certificate and cert ${paths.cert} is a private key: exchange them`;
  }
  return fileProblem("key", paths.key, files.key, labels.key) ??
    fileProblem("cert", paths.cert, files.cert, labels.cert) ??
    pairProblem(files, paths);
}

/** The same for what a TLS library has refused: also which of the files it cannot have understood. */
export function refusedTlsProblem(files: TlsFiles, paths: Paths): string | null {
  if (attempt(() => createPrivateKey(files.key)) === null) {
    return `key ${paths.key} is damaged, or of a kind that is not known: make it anew`;
  }
  if (attempt(() => new X509Certificate(files.cert)) === null) {
    return `cert ${paths.cert} is damaged: get the certificate again`;
  }
  return null;
}

function fileProblem(
  what: keyof Paths,
  path: string,
  text: string,
  labels: readonly string[],
): string | null {
  const file = `${what} ${path}`;
  const { name } = WANTED[what];
  if (text.trim() === "") return `${file} is empty`;
  if (labels.length === 0) {
    return `${file} is not in PEM form, which begins with -----BEGIN: convert it, as with ` +
      `openssl ${what === "key" ? "pkey" : "x509"} -inform der -in FILE -out FILE.pem`;
  }
  if (labels.includes("ENCRYPTED PRIVATE KEY") || /^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    return `${file} is protected by a password, which nobody can type here: ` +
      "take it off with openssl pkey -in FILE -out FILE.pem";
  }
  if (!has(labels, what)) {
    const found = labels.map((label) => label.toLowerCase()).join(", ");
    return `${file} has no ${name} in it, only: ${found}. Name the file with the ${name}`;
  }
  const cutOff = labels.find((label) => !text.includes(`-----END ${label}-----`));
  return cutOff === undefined
    ? null
    : `${file} is cut off: -----END ${cutOff}----- is missing, copy the whole file`;
}

/** Whether the key is another certificate's. */
function pairProblem({ key, cert }: TlsFiles, paths: Paths): string | null {
  const own = attempt(() => publicPart(createPublicKey(createPrivateKey(key))));
  const certified = attempt(() => publicPart(new X509Certificate(cert).publicKey));
  if (own === null || certified === null || own === certified) return null;
  return `key ${paths.key} does not belong to the first certificate in cert ${paths.cert}: ` +
    "name the two that were made together, and put the server's own certificate before the others";
}

function publicPart(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

function labelsOf(text: string): string[] {
  return [...text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)].map(([, label]) => label);
}

function has(labels: readonly string[], what: keyof Paths): boolean {
  return labels.some((label) => WANTED[what].label.test(label));
}

function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
