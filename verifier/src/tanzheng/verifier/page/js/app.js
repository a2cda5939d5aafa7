import { check } from "./check.js";

globalThis.tanzheng = { check };
