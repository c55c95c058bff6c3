/** HPUB: publishes one message with headers. See docs/protocol/client.md#hpub. */
import type { Access } from "../connection/Access.ts"
import * as Publishing from "./publishing.ts"

export const make = (access: Access) => Publishing.make("HPUB", access, () => 1)
