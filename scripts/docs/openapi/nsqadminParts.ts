/** What endpoints of nsqadmin have in common. */
import { ActionResponse } from "../../../src/protocol/http/admin/AdminApi.ts"
import { failure, inPath, json } from "./Endpoint.ts"

/** The topic of a request. */
export const topic = inPath("topic", "name of the topic", "orders")

/** The nsqd of a request. */
export const node = inPath("node", "`<broadcast address>:<HTTP port>` of the nsqd", "nsqd-1.internal:4151")

/** No daemon did what it should. */
export const upstream = failure(502, "UPSTREAM_ERROR: <errors>", "all daemons failed")

/** Actions are for administrators. */
export const forbidden = failure(403, "FORBIDDEN", "the user is not an administrator")

/** The body cannot be decoded. */
export const invalidJson = failure(400, "<error>", "the body is not valid JSON")

/** The failures of every action. */
export const changeFailures = [forbidden, upstream]

/** The response to an action. */
export const done = json(ActionResponse, "empty, or a warning that lists the daemons that failed", { message: "" })
