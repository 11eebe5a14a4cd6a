export { FakeHub } from "@heddle/transformer/testing";
export { writeTinyDecoder } from "./tiny-decoder.ts";
