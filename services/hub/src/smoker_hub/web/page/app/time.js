import { html } from "../vendor/ui.js";
export const TimeMachine = () => html``;
