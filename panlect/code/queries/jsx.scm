; What JSX adds to TypeScript: a component in a tag is a call of it.

; Uses of names.

(jsx_opening_element name: (identifier) @reference.call)
(jsx_self_closing_element name: (identifier) @reference.call)
(jsx_opening_element name: (member_expression property: (property_identifier) @reference.call))
(jsx_self_closing_element name: (member_expression property: (property_identifier) @reference.call))
(jsx_expression (identifier) @reference.name)
