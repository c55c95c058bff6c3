/**
 * PUB: publishes one message. See docs/protocol/client.md#pub. The decoder merges pipelined PUBs to one topic into
 * one command; each gets its own OK.
 */
import type { Access } from "../connection/Access.ts"
import * as Publishing from "./publishing.ts"

export const make = (access: Access) => Publishing.make("PUB", access, (messages) => messages)
