import { html } from "../vendor/ui.js";
/** @param {{ id: string }} props */
export const PathHistory = ({ id }) => html`<p class="soft" data-id=${id}></p>`;
