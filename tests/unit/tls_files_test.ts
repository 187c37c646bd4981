/**
 * What is wrong with key and certificate files (F28).
 * @module
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { refusedTlsProblem, tlsProblem } from "../../src/servers/http/tls_files.ts";
import { TEST_CA, TEST_CERTIFICATE, TEST_KEY } from "./support/certificate.ts";

const PATHS = { key: "k.pem", cert: "c.pem" };

function problem(key: string, cert: string): string {
  return tlsProblem({ key, cert }, PATHS) ?? "none";
}

function pem(label: string, lines = "AAAA"): string {
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

Deno.test("F28: a good pair has no problem, with a chain, comments and EC parameters in the files", () => {
  assert.equal(problem(TEST_KEY, TEST_CERTIFICATE), "none");
  assert.equal(problem(TEST_KEY, `subject=x\n${TEST_CERTIFICATE}${TEST_CA}`), "none");
  assert.equal(problem(`${pem("EC PARAMETERS")}${TEST_KEY}`, TEST_CERTIFICATE), "none");
  const both = TEST_KEY + TEST_CERTIFICATE;
  assert.equal(problem(both, both), "none", "one file with both");
  assert.equal(refusedTlsProblem({ key: TEST_KEY, cert: TEST_CERTIFICATE }, PATHS), null);
});

Deno.test("F28: what is wrong is said, with the file and the cure", () => {
  const rows: [string, string, RegExp][] = [
    [
      TEST_CERTIFICATE,
      TEST_KEY,
      /^key k\.pem is a certificate and cert c\.pem is a private key: ex/,
    ],
    [TEST_CERTIFICATE, pem("ENCRYPTED PRIVATE KEY"), /: exchange them$/],
    [TEST_CERTIFICATE, TEST_CERTIFICATE, /^key k\.pem has no private key in it, only: certificate/],
    [TEST_KEY, TEST_KEY, /^cert c\.pem has no certificate in it, only: private key\. Name/],
    [pem("PUBLIC KEY"), TEST_CERTIFICATE, /^key k\.pem has no private key in it, only: public key/],
    [TEST_KEY, pem("CERTIFICATE REQUEST"), /^cert c\.pem has no .* only: certificate request/],
    ["", TEST_CERTIFICATE, /^key k\.pem is empty/],
    [TEST_KEY, " \n", /^cert c\.pem is empty/],
    ["0\u0082\u0001", TEST_CERTIFICATE, /^key k\.pem is not in PEM form.*openssl pkey -inform der/],
    [TEST_KEY, "0\u0082\u0001", /^cert c\.pem is not in PEM form.*openssl x509 -inform der/],
    [pem("ENCRYPTED PRIVATE KEY"), TEST_CERTIFICATE, /^key k\.pem is protected by a password/],
    [
      pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA"),
      TEST_CERTIFICATE,
      /^key k\.pem is protected by a password/,
    ],
    [TEST_KEY.slice(0, 120), TEST_CERTIFICATE, /^key k\.pem is cut off: -----END PRIVATE KEY-----/],
    [
      TEST_KEY,
      TEST_CERTIFICATE.slice(0, 300),
      /^cert c\.pem is cut off: -----END CERTIFICATE-----/,
    ],
    [
      TEST_KEY,
      TEST_CA + TEST_CERTIFICATE,
      /does not belong to the first certificate in cert c\.pem/,
    ],
  ];
  for (const [key, cert, expected] of rows) assert.match(problem(key, cert), expected);
});

Deno.test("F28: another certificate's key, of any kind", () => {
  const encoding = { type: "pkcs8", format: "pem" } as const;
  const keys = [
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(encoding),
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export(encoding),
    generateKeyPairSync("ed25519").privateKey.export(encoding),
  ];
  for (const key of keys) {
    assert.match(
      problem(String(key), TEST_CERTIFICATE),
      /^key k\.pem does not belong to the first/,
    );
  }
});

Deno.test("F28: damage inside of the armour is named once the runtime has refused it", () => {
  const key = pem("PRIVATE KEY");
  const cert = pem("CERTIFICATE");
  assert.equal(problem(key, TEST_CERTIFICATE), "none", "a kind that is not known here may be good");
  assert.match(
    refusedTlsProblem({ key, cert: TEST_CERTIFICATE }, PATHS) ?? "",
    /^key k\.pem is damaged, or of a kind that is not known/,
  );
  assert.match(refusedTlsProblem({ key: TEST_KEY, cert }, PATHS) ?? "", /^cert c\.pem is damaged/);
});
