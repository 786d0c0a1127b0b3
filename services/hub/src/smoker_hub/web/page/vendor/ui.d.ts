export { render, Fragment } from "preact";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { signal, computed, effect, batch, useSignal, useComputed } from "@preact/signals";
export type { Signal, ReadonlySignal } from "@preact/signals";
import { h } from "preact";
export declare const html: (strings: TemplateStringsArray, ...values: any[]) => ReturnType<typeof h>;
