/** Makes OpenAPI 3.1 documents from the parts of an API. */
import { packageVersion } from "../../../src/services/core/Version.ts"
import { descriptions } from "./descriptions.ts"
import { type Api, type Content, type Endpoint, type Failure, type JsonSchema, written } from "./Endpoint.ts"

/** An object of an OpenAPI document. */
export type Node = Readonly<Record<string, unknown>>

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value)

/** Adds the descriptions of keys that mean the same in all schemas. */
const described = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(described)
  if (!isNode(value)) return value
  const entries = Object.entries(value).map(([key, child]) => [key, described(child)] as const)
  const result = Object.fromEntries(entries)
  const { properties } = result
  if (result["type"] !== "object" || !isNode(properties)) return result
  const annotated = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const description = descriptions[name]
      return [
        name,
        isNode(schema) && description !== undefined && schema["$ref"] === undefined
          ? { ...schema, description }
          : schema
      ]
    })
  )
  return { ...result, properties: annotated }
}

/** Replaces each schema that has a name by a reference to it. `except` is the schema whose own definition it is. */
const referenced = (value: unknown, names: ReadonlyMap<string, string>, except?: string): unknown => {
  if (Array.isArray(value)) return value.map((item) => referenced(item, names))
  if (!isNode(value)) return value
  const name = names.get(JSON.stringify(value))
  if (name !== undefined && name !== except) return { $ref: `#/components/schemas/${name}` }
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, referenced(child, names)]))
}

const content = ({ example, schema, type }: Content): Node => ({
  [type]: { schema, ...example === undefined ? {} : { example } }
})

const errorSchema: JsonSchema = {
  type: "object",
  properties: { message: { type: "string" } },
  required: ["message"]
}

/** The content of an error response: JSON with an example for each code, or text. */
const failureContent = (failures: ReadonlyArray<Failure>): Node =>
  Object.fromEntries(
    Array.from(Map.groupBy(failures, ({ isText }) => isText), ([isText, group]) => [
      isText ? "text/plain" : "application/json",
      {
        schema: isText ? { type: "string" } : { $ref: "#/components/schemas/Error" },
        examples: Object.fromEntries(
          group.map(({ cause, code }) => [
            code.replaceAll(/[^A-Za-z0-9._-]+/g, "_"),
            { summary: cause, value: isText ? code : { message: code } }
          ])
        )
      }
    ])
  )

/** The responses to failures: one for each status. */
const failureResponses = (failures: ReadonlyArray<Failure>): Node =>
  Object.fromEntries(
    Array.from(Map.groupBy(failures, ({ status }) => status), ([status, group]) => [
      String(status),
      {
        description: group.map(({ cause, code }) => `\`${code}\`: ${cause}`).join("; "),
        content: failureContent(group)
      }
    ])
  )

const operation = (endpoint: Endpoint): Node => {
  const {
    body,
    description,
    failures = [],
    isDeprecated,
    isOwn,
    method,
    parameters = [],
    path,
    response,
    summary,
    tag
  } = endpoint
  const texts = [description ?? "", isOwn === true ? "NSQ does not have this endpoint." : ""].filter((line) =>
    line !== ""
  )
  return {
    tags: [tag],
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
    summary,
    ...texts.length === 0 ? {} : { description: texts.join(" ") },
    ...isDeprecated === true ? { deprecated: true } : {},
    parameters,
    ...body === undefined
      ? {}
      : { requestBody: { description: body.description, required: true, content: content(body) } },
    responses: {
      "200": response === undefined
        ? { description: "done; the body is empty" }
        : { description: response.description, content: content(response) },
      ...failureResponses(failures)
    }
  }
}

/** The path of an endpoint in the form of OpenAPI. */
export const pathOf = (path: string): string => path.replaceAll(/:(\w+)/g, "{$1}")

/** Returns the OpenAPI document of an API. */
export const documentOf = ({ endpoints, name, schemas, server, summary }: Api): Node => {
  const plain = Object.entries(schemas).map(([name, schema]) => [name, written(schema)] as const)
  const names = new Map(plain.map(([name, schema]) => [JSON.stringify(schema), name]))
  const components = plain.map(([name, schema]) => [name, described(referenced(schema, names, name))])
  const paths = Map.groupBy(endpoints, ({ path }) => pathOf(path))
  return {
    openapi: "3.1.0",
    info: {
      title: `${name} HTTP API`,
      summary,
      version: packageVersion,
      license: { name: "MIT", identifier: "MIT" }
    },
    servers: [{ url: server, description: "the default address" }],
    security: [],
    tags: [...new Set(endpoints.map(({ tag }) => tag))].map((tag) => ({ name: tag })),
    paths: Object.fromEntries(
      Array.from(paths, ([path, group]) => [
        path,
        Object.fromEntries(
          group.map((endpoint) => [endpoint.method.toLowerCase(), described(referenced(operation(endpoint), names))])
        )
      ])
    ),
    components: { schemas: { Error: errorSchema, ...Object.fromEntries(components) } }
  }
}
