/**
 * H64: who may read the settings after `srs-edge install`.
 * @module
 */
import assert from "node:assert/strict";
import { install, uninstall } from "../../src/install/install.ts";
import { CONFIG_PATH } from "../../src/install/layout.ts";

const GROUP = 54_321;

/** Installs into a folder with these files in it; `look` sees mode and owner of the configuration. */
async function installs(
  files: Record<string, string>,
  look: (config: Deno.FileInfo, root: string) => void,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "srs-edge-unit-" });
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${root}${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}${path}`, text, { mode: 0o644 });
    }
    await Deno.writeTextFile(`${root}/program`, "#!");
    install(root, `${root}/program`);
    look(await Deno.stat(`${root}${CONFIG_PATH}`), root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const permissions = ({ mode }: Deno.FileInfo) => ((mode ?? 0) & 0o777).toString(8);

Deno.test("H64: the settings are 0640 from the first moment, and systemd-tmpfiles gives them the group", async () => {
  await installs({}, (config, root) => {
    assert.equal(permissions(config), "640");
    assert.match(
      Deno.readTextFileSync(`${root}/etc/tmpfiles.d/srs-edge.conf`),
      /0640 root srs-edge/,
    );
    uninstall(root);
    assert.throws(() => Deno.statSync(`${root}/etc/tmpfiles.d/srs-edge.conf`));
    assert.equal(permissions(Deno.statSync(`${root}${CONFIG_PATH}`)), "640");
  });
});

Deno.test("H64: where the group is there already they are its at once", async () => {
  const group = `root:x:0:\nnot-srs-edge:x:1:\nsrs-edge:x:${GROUP}:\n`;
  await installs({ "/etc/group": group }, (config) => {
    assert.equal(permissions(config), "640");
    if (Deno.uid() === 0) assert.deepEqual([config.uid, config.gid], [0, GROUP]);
  });
});

Deno.test("H64: settings that an older version has left open are hidden, and stay as they are", async () => {
  const group = `srs-edge:x:${GROUP}:\n`;
  await installs({ "/etc/group": group, [CONFIG_PATH]: "listen 1; # mine\n" }, (config, root) => {
    assert.equal(permissions(config), "640");
    if (Deno.uid() === 0) assert.equal(config.gid, GROUP);
    assert.equal(Deno.readTextFileSync(`${root}${CONFIG_PATH}`), "listen 1; # mine\n");
  });
});
