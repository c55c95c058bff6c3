/** DPUB: publishes one message with a delay. See docs/protocol/client.md#dpub. */
import type { Access } from "../connection/Access.ts"
import * as Publishing from "./publishing.ts"

export const make = (access: Access) => Publishing.make("DPUB", access, () => 1)
