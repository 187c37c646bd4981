/**
 * The package and `srs-edge install` under a real systemd: a small Debian is booted as a container, and
 * `service.sh` in it does what an administrator would. Where no container can be booted, the unit is
 * checked by systemd's tools alone.
 * @module
 */
import assert from "node:assert/strict";
import { debianRoot } from "../tools/debian.ts";
import { Child, run, sleep, until } from "../tools/process.ts";
import { type Release, X64 } from "../tools/release.ts";
import { freePort, Server } from "../tools/server.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { playSmoke } from "../tools/smoke.ts";

const UNIT = new URL("../../conf/srs-edge.service", import.meta.url).pathname;
const SCRIPT = new URL("service.sh", import.meta.url).pathname;

/** ms for the making of the system, and for all that is done in it. */
const LIMIT_MS = 500_000;
/** ms for one step of the script. */
const STEP_LIMIT_MS = 60_000;

/** ms for a restart, which takes about one second: it was 18 s when it drained (F31). */
const RESTART_LIMIT_MS = 5000;

/** systemd's points for exposure: 10 is everything open; 2 and less it calls "OK". */
const WORST_EXPOSURE = 2;

/** A drop-in: a watchdog that does not let a test wait, and no more files than a container may have. */
const TEST_SETTINGS = "[Service]\nWatchdogSec=4\nLimitNOFILE=4096\n";

/** The service that runs the script, once everything else is up. */
const SCRIPT_UNIT = `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /share/service.sh
`;

/** The output of the script by step. */
function steps(log: string): Map<string, string> {
  const parts = log.split(/^== /m).slice(1).map((part) => {
    const end = part.indexOf("\n");
    return [part.slice(0, end), part.slice(end + 1).trim()] as const;
  });
  return new Map(parts);
}

async function readIfThere(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}

/** A copy of the system in the test's folder, with the script as its last service. */
async function prepare(s: Scenario, { deb, executable }: Release, ports: [number, number]) {
  const root = `${s.folder}/root`;
  await run(["cp", "-a", await debianRoot("systemd"), root], STEP_LIMIT_MS);
  const share = `${root}/share`;
  await Deno.mkdir(share);
  await Deno.copyFile(deb, `${share}/package.deb`);
  await Deno.copyFile(executable, `${share}/srs-edge`);
  await Deno.copyFile(SCRIPT, `${share}/service.sh`);
  const name = await run(["dpkg-deb", "--field", deb, "Package"], STEP_LIMIT_MS);
  await Deno.writeTextFile(`${share}/package`, name.stdout);
  await Deno.writeTextFile(`${share}/test.conf`, TEST_SETTINGS);
  // The shipped file, on the test's ports: the container shares the host's network.
  const unpacked = `${s.folder}/deb`;
  await run(["dpkg-deb", "-x", deb, unpacked], STEP_LIMIT_MS);
  const shipped = await Deno.readTextFile(`${unpacked}/etc/srs-edge/srs-edge.conf`);
  const config = shipped.replaceAll("1935", `127.0.0.1:${ports[0]}`)
    .replaceAll("127.0.0.1:1985", `127.0.0.1:${ports[1]}`);
  assert.notEqual(config, shipped);
  await Deno.writeTextFile(`${share}/srs-edge.conf`, config);
  const wants = `${root}/etc/systemd/system/graphical.target.wants`;
  await Deno.mkdir(wants, { recursive: true });
  await Deno.writeTextFile(`${root}/etc/systemd/system/script.service`, SCRIPT_UNIT);
  await Deno.symlink("../script.service", `${wants}/script.service`);
  return { root, share };
}

/** Boots a system as a container that shares the host's network; it ends when it powers off. */
function boot(s: Scenario, root: string): Child {
  const flags = ["--register=no", "--keep-unit", "--console=pipe", "--boot"];
  return s.spawn("container", [
    "env",
    // As on the host, whichever of its two kinds of control groups it has.
    `SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=${isUnified() ? 1 : 0}`,
    ...["systemd-nspawn", "--quiet", "-D", root, ...flags],
  ]);
}

function isUnified(): boolean {
  try {
    return Deno.statSync("/sys/fs/cgroup/cgroup.controllers").isFile;
  } catch {
    return false;
  }
}

/** Why no container can be booted here, or null: found out by booting one that only powers off. */
async function whyNoContainer(): Promise<string | null> {
  if (Deno.uid() !== 0) return "only root can boot a container";
  const root = await debianRoot("systemd");
  const child = new Child("container", [
    "env",
    `SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=${isUnified() ? 1 : 0}`,
    ...["systemd-nspawn", "--quiet", "-D", root, "--volatile=overlay", "--register=no"],
    ...["--keep-unit", "--console=pipe", "--boot", "systemd.unit=poweroff.target"],
  ]);
  const ended = await Promise.race([child.ended, sleep(20_000)]);
  await child.kill();
  return ended?.success ? null : "systemd does not boot in a container";
}

const noContainer = await whyNoContainer();

for (const release of X64) {
  scenario(`the package with ${release.runtime} is a service of systemd`, async (s) => {
    const ports: [number, number] = [freePort(), freePort()];
    const { root, share } = await prepare(s, release, ports);
    const container = boot(s, root);
    const said = async () => steps(await readIfThere(`${share}/log`));

    await until("the started service", STEP_LIMIT_MS, async () => (await said()).has("play"));
    await playSmoke(s, new Server("", ...ports, container));
    await Deno.writeTextFile(`${share}/play.done`, "");
    await container.finish(2 * STEP_LIMIT_MS);

    const log = await said();
    const whole = await readIfThere(`${share}/log`);
    const step = (name: string) => log.get(name) ?? assert.fail(`no step ${name} in\n${whole}`);
    assert.match(step("install package"), /systemctl enable --now srs-edge/);
    assert.equal(step("verify"), "clean");
    const exposure = Number(/service: ([\d.]+) /.exec(step("security"))?.[1]);
    assert.ok(exposure <= WORST_EXPOSURE, step("security"));
    assert.match(step("start"), /^started$/m);
    assert.match(step("start"), /^user=srs-edge$/m);
    assert.match(step("start"), /^config=640 root:srs-edge$/m, "H64");
    assert.match(step("start"), /^1024\n0$/m, "H65: TasksMax, and none of Bun's settings");
    assert.match(step("start"), /^NoNewPrivs:\t1$/m);
    assert.match(step("start"), /^Seccomp:\t2$/m);
    assert.match(step("start"), /^CapEff:\t0+400$/m, "CAP_NET_BIND_SERVICE alone");
    assert.match(step("reload"), /^reloaded\nsame process/m);
    assert.match(step("reload"), /bad file refused\nstill the same$/);
    assert.match(step("watchdog"), /restarts=1$/);
    assert.match(step("restart"), /^restarted, active\nanother process$/m);
    const restartMs = Number(/^ms=(\d+)$/m.exec(step("restart"))?.[1]);
    assert.ok(restartMs < RESTART_LIMIT_MS, `F31: a restart takes ${restartMs} ms`);
    assert.equal(step("drain"), "active\ninactive, success", "a drain has no time limit");
    assert.match(step("stop"), /inactive, success$/);
    assert.match(step("journal"), /client identified.*publish/, "the log is in the journal");
    assert.match(step("remove"), /could not be found/);
    assert.match(step("install by itself"), /^active, enabled\nconfig=640 root:srs-edge$/m);
    assert.match(step("uninstall by itself"), /^inactive$/m);
    const left = step("uninstall by itself").split("\n").filter((line) => line.startsWith("/"));
    const settings = ["/etc/srs-edge", "/etc/srs-edge/srs-edge.conf"];
    assert.deepEqual(left, [...settings, "/var/lib/srs-edge", "/var/log/srs-edge"]);
  }, { limitMs: LIMIT_MS, ignore: noContainer });

  scenario(`the unit's command with ${release.runtime}, as an unprivileged user`, async (s) => {
    const unit = await Deno.readTextFile(UNIT);
    const environment = /^Environment=(.*)$/m.exec(unit)?.[1].split(" ") ?? [];
    const start = /^ExecStart=\/usr\/bin\/srs-edge -c (\S+)$/m.exec(unit);
    assert.ok(start, "ExecStart is as this test knows it");
    await Deno.chmod(s.folder, 0o755);
    const nobody = [
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      "--no-new-privs",
    ];
    const program = `${s.folder}/srs-edge`;
    await Deno.copyFile(release.executable, program);
    const command = [...nobody, "env", "--ignore-environment", ...environment, program];
    const server = await s.server({ command });
    await playSmoke(s, server);
    assert.ok((await server.process.stop("SIGQUIT")).success, "it ends when asked to drain");
  });
}
