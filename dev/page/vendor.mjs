// Bundle the libraries of the hub's page into a folder: `node dev/page/vendor.mjs FOLDER`. The same input gives the same bytes.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "../../services/hub/src/smoker_hub/web/page/vendor");

const UI = `
export { render, Fragment } from "preact";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { signal, computed, effect, batch, useSignal, useComputed } from "@preact/signals";
import { h } from "preact";
import htm from "htm";
export const html = htm.bind(h);
`;

const UI_TYPES = `${UI.slice(0, UI.indexOf("import"))}export type { Signal, ReadonlySignal } from "@preact/signals";
import { h } from "preact";
export declare const html: (strings: TemplateStringsArray, ...values: any[]) => ReturnType<typeof h>;
`.trimStart();
const LICENSES = ["preact", "@preact/signals", "@preact/signals-core", "htm"];

/** @param {string} name */
const license = async (name) => `== ${name}\n\n${await readFile(join(here, "node_modules", name, "LICENSE"), "utf8")}`;

const options = { bundle: true, format: "esm", minify: true, target: "es2022", legalComments: "inline", charset: "utf8" };

await mkdir(folder, { recursive: true });
await build({ ...options, stdin: { contents: UI, resolveDir: here }, outfile: join(folder, "ui.js") });
await writeFile(join(folder, "ui.d.ts"), UI_TYPES);
await writeFile(join(folder, "LICENSES"), (await Promise.all(LICENSES.map(license))).join("\n"));
