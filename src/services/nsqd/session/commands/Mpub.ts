/** MPUB: publishes several messages at once. See docs/protocol/client.md#mpub. */
import type { Access } from "../connection/Access.ts"
import * as Publishing from "./publishing.ts"

export const make = (access: Access) => Publishing.make("MPUB", access, () => 1)
