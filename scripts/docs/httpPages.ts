/** The pages of the HTTP APIs, from the parts that their OpenAPI documents are made of. */
import { apis } from "./openapi/apis.ts"
import { descriptions } from "./openapi/descriptions.ts"
import { type Api, type Content, type Endpoint, type JsonSchema, type Parameter, written } from "./openapi/Endpoint.ts"
import { cell, code } from "./tables.ts"

const isNode = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Returns a type in words: `string`, `list of Topic`, `number or null`. */
const typeOf = (schema: unknown, names: ReadonlyMap<string, string>): string => {
  const name = names.get(JSON.stringify(schema))
  if (name !== undefined) return `[${name}](#${name.toLowerCase()})`
  if (!isNode(schema)) return "any"
  const { anyOf, enum: values, items, oneOf, type } = schema
  if (Array.isArray(values)) return values.map((value) => `\`${String(value)}\``).join(", ")
  const branches = anyOf ?? oneOf
  if (Array.isArray(branches)) return branches.map((branch) => typeOf(branch, names)).join(" or ")
  if (type === "array") return `list of ${typeOf(items, names)}`
  return typeof type === "string" ? type : "any"
}

const parameterTable = (parameters: ReadonlyArray<Parameter>, names: ReadonlyMap<string, string>) => [
  "| parameter | in | type | meaning |",
  "| --- | --- | --- | --- |",
  ...parameters.map(({ description, in: place, name, required, schema }) =>
    `| ${code(name)} | ${place} | ${cell(typeOf(schema, names))} | ${cell(description)}${
      required ? "; required" : ""
    } |`
  ),
  ""
]

const fence = (
  language: string,
  text: string
): ReadonlyArray<string> => [`\`\`\`${language}`, text.trimEnd(), "```", ""]

const exampleOf = ({ example, type }: Content): ReadonlyArray<string> =>
  example === undefined || type === "text/html" || type === "image/png"
    ? []
    : type === "application/json"
    ? fence("json", JSON.stringify(example, null, 2))
    : fence("text", String(example))

const quoted = (text: string): string => `'${text.replaceAll("\n", "\\n")}'`

/** Returns a request of curl. */
const requestOf = (server: string, { body, method, parameters = [], path }: Endpoint): string => {
  const filled = path.replaceAll(
    /:(\w+)/g,
    (_, name: string) => String(parameters.find((parameter) => parameter.name === name)?.example ?? name)
  )
  const query = parameters.filter((parameter) => parameter.in === "query" && parameter.required)
    .map(({ example, name }) => `${name}=${encodeURIComponent(String(example ?? ""))}`).join("&")
  const example = body?.example
  const flags = [
    ...method === "GET" || body !== undefined && method === "POST" ? [] : [`-X ${method}`],
    ...example === undefined ? [] : [
      typeof example === "string" && example.includes("\n")
        ? "--data-binary @-"
        : `-d ${quoted(typeof example === "string" ? example : JSON.stringify(example))}`
    ]
  ]
  const input = typeof example === "string" && example.includes("\n") ? `printf ${quoted(example)} | ` : ""
  return `${input}curl ${[...flags, `'${server}${filled}${query === "" ? "" : `?${query}`}'`].join(" ")}`
}

const endpointSection = (api: Api, names: ReadonlyMap<string, string>, endpoint: Endpoint): ReadonlyArray<string> => {
  const { body, description, failures = [], isOwn, method, parameters = [], path, response, summary } = endpoint
  return [
    `### ${method} ${path}`,
    "",
    `${summary}.${description === undefined ? "" : ` ${description}`}${isOwn === true ? " NSQ does not have it." : ""}`,
    "",
    ...parameters.length === 0 ? [] : parameterTable(parameters, names),
    ...fence("sh", requestOf(api.server, endpoint)),
    ...body === undefined ? [] : [`Body (\`${body.type}\`, ${typeOf(body.schema, names)}): ${body.description}.`, ""],
    response === undefined
      ? "The response is empty."
      : `The response (\`${response.type}\`, ${typeOf(response.schema, names)}): ${response.description}.`,
    "",
    ...response === undefined ? [] : exampleOf(response),
    ...failures.length === 0 ? [] : [
      "| status | error | cause |",
      "| --- | --- | --- |",
      ...failures.map(({ cause, code: error, status }) => `| ${status} | ${code(error)} | ${cell(cause)} |`),
      ""
    ]
  ]
}

const former = ({ endpoints }: Api): ReadonlyArray<string> => {
  const paths = endpoints.filter(({ isDeprecated }) => isDeprecated === true)
  return paths.length === 0 ? [] : [
    "## Paths from before NSQ 1.0",
    "",
    "| request | meaning |",
    "| --- | --- |",
    ...paths.map(({ method, path, summary }) => `| ${code(`${method} ${path}`)} | ${cell(summary)} |`),
    ""
  ]
}

const schemaSections = ({ schemas }: Api, names: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  Object.entries(schemas).flatMap(([name, schema]) => {
    const { properties, required } = written(schema)
    if (!isNode(properties)) return [`### ${name}`, "", "One of several objects: see the OpenAPI document.", ""]
    const always = new Set(Array.isArray(required) ? required : [])
    return [
      `### ${name}`,
      "",
      "| key | type | meaning |",
      "| --- | --- | --- |",
      ...Object.entries(properties).map(([key, type]) =>
        `| ${code(key)}${always.has(key) ? "" : " (optional)"} | ${cell(typeOf(type, names))} | ${
          cell(descriptions[key] ?? "")
        } |`
      ),
      ""
    ]
  })

const pageOf = (api: Api): string => {
  const names = new Map(Object.entries(api.schemas).map(([name, schema]) => [JSON.stringify(written(schema)), name]))
  const current = api.endpoints.filter(({ isDeprecated }) => isDeprecated !== true)
  const sections = Array.from(Map.groupBy(current, ({ tag }) => tag), ([tag, endpoints]) => [
    `## ${tag}`,
    "",
    ...endpoints.flatMap((endpoint) => endpointSection(api, names, endpoint))
  ])
  return [
    `# HTTP API of ${api.name}`,
    "",
    `${api.summary}. The package has this reference as an OpenAPI 3.1 document, \`dist/openapi/${api.name}.json\`
(<a href="/openapi/${api.name}.json" target="_self" download>download</a>). Errors are JSON, \`{"message":"<error>"}\`; [HTTP](/protocol/http.md#conventions) describes the rules that all requests have in common.`,
    "",
    ...sections.flat(),
    ...former(api),
    "## Objects",
    "",
    ...schemaSections(api, names)
  ].join("\n")
}

/** The pages by their paths on the site. */
export const httpPages = (): ReadonlyMap<string, string> =>
  new Map(Object.values(apis).map((api) => [`http/${api.name}`, pageOf(api)]))
