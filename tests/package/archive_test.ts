/**
 * The archive, on a system where nothing is installed.
 * @module
 */
import assert from "node:assert/strict";
import { debianRoot, inRoot } from "../tools/debian.ts";
import { run } from "../tools/process.ts";
import { type Release, SUMS_FOLDER, X64 } from "../tools/release.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { smoke } from "../tools/smoke.ts";

/** ms for a call that does not serve. */
const CALL_LIMIT_MS = 20_000;

/** ms for a whole test, the making of the system included. */
const LIMIT_MS = 500_000;

/** Unpacks the archive into the test's folder and returns the folder with the executable. */
async function unpack(s: Scenario, { archive, executable }: Release): Promise<string> {
  await run(["tar", "-xzf", archive, "-C", s.folder], CALL_LIMIT_MS);
  return `${s.folder}/${executable.split("/").pop()}`;
}

for (const release of X64) {
  const { runtime } = release;

  scenario(`the archive with ${runtime} serves on a bare system`, async (s) => {
    const root = await debianRoot("bare");
    const folder = await unpack(s, release);
    await smoke(s, inRoot(root, `${folder}/srs-edge`));
  }, { limitMs: LIMIT_MS });

  scenario(`the archive with ${runtime}: every configuration in it is clean`, async (s) => {
    const root = await debianRoot("bare");
    const folder = await unpack(s, release);
    const files = Array.from(Deno.readDirSync(`${folder}/conf`), ({ name }) => name);
    const configs = files.filter((name) => name.endsWith(".conf"));
    assert.ok(configs.length >= 3, configs.join());
    for (const name of configs) {
      const path = `${folder}/conf/${name}`;
      const test = await run(
        inRoot(root, `${folder}/srs-edge`, "-t", "-c", path),
        CALL_LIMIT_MS,
      );
      // secure.conf needs secrets of its user's own, and says so.
      const ours = name === "secure.conf" ? /is the word of an example/ : /^$/;
      for (const line of test.stderr.trimEnd().split("\n")) assert.match(line, ours, name);
      assert.doesNotMatch(test.stdout, /ignored/, name);
      assert.match(test.stdout, /test is successful\n$/, name);
      const example = name.replace(/\.conf$/, "");
      const printed = await run([`${folder}/srs-edge`, "--print-config", example], CALL_LIMIT_MS);
      assert.equal(printed.stdout, await Deno.readTextFile(path), `--print-config ${example}`);
    }
  }, { limitMs: LIMIT_MS });

  scenario(`the archive with ${runtime} has what it needs`, async (s) => {
    const folder = await unpack(s, release);
    for (const name of ["LICENSE", "README.md", "README.zh-CN.md", "conf/srs-edge.service"]) {
      assert.ok((await Deno.stat(`${folder}/${name}`)).size > 0, name);
    }
    const { stdout } = await run([`${folder}/srs-edge`, "-h"], CALL_LIMIT_MS);
    assert.match(stdout, /^srs-edge\/\d+\.\d+\.\d+ \(commit [0-9a-f]{10}/, "version and commit");
  });

  scenario(`install and uninstall with ${runtime}, into a folder`, async (s) => {
    const folder = await unpack(s, release);
    const root = `${s.folder}/root`;
    const program = `${folder}/srs-edge`;
    const { stdout } = await run([program, "install", "--root", root], CALL_LIMIT_MS);
    for (const command of ["systemd-sysusers", "systemctl enable --now srs-edge", "journalctl"]) {
      assert.ok(stdout.includes(command), stdout);
    }
    const installed = `${root}/usr/local/bin/srs-edge`;
    assert.deepEqual(await Deno.readFile(installed), await Deno.readFile(program));
    await run([installed, "-v"], CALL_LIMIT_MS);
    const unit = await Deno.readTextFile(`${root}/etc/systemd/system/srs-edge.service`);
    assert.match(unit, /^ExecStart=\/usr\/local\/bin\/srs-edge -c \/etc\/srs-edge\//m);
    assert.doesNotMatch(unit, /\/usr\/bin\/srs-edge/);

    const config = `${root}/etc/srs-edge/srs-edge.conf`;
    assert.equal(((await Deno.stat(config)).mode ?? 0) & 0o777, 0o640, "H64");
    await Deno.writeTextFile(config, "listen 1; # mine\n");
    const again = await run([program, "install", "--root", root], CALL_LIMIT_MS);
    assert.match(again.stdout, /kept +\S+srs-edge\.conf/);
    await run([program, "uninstall", "--root", root], CALL_LIMIT_MS);
    const left = await run(["find", root, "-type", "f"], CALL_LIMIT_MS);
    assert.equal(left.stdout, `${config}\n`, "the configuration alone stays");
    assert.match(await Deno.readTextFile(config), /mine/);
  });
}

scenario("SHA256SUMS is true", async () => {
  await run(["sh", "-c", `cd "$0" && sha256sum --check --strict SHA256SUMS`, SUMS_FOLDER], 60_000);
  const sums = await Deno.readTextFile(`${SUMS_FOLDER}SHA256SUMS`);
  for (const { executable, archive, deb } of X64) {
    for (const path of [executable, archive, deb]) {
      assert.ok(sums.includes(`  ${path.split("/").pop()}\n`), `${path} is listed`);
    }
  }
});
