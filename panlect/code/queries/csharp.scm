; Definitions and imports of C#. A file-scoped namespace is a definition of one line: it holds the whole file.

(namespace_declaration name: (_) @name body: (_) @body) @definition.module @exported
(file_scoped_namespace_declaration name: (_) @name) @definition.module @exported
(class_declaration name: (_) @name body: (_) @body) @definition.class
(struct_declaration name: (_) @name body: (_) @body) @definition.class
(record_declaration name: (_) @name body: (_)? @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.type
(enum_member_declaration name: (_) @name) @definition.constant @exported
(delegate_declaration name: (_) @name) @definition.type
(method_declaration name: (_) @name body: (_)? @body) @definition.method
(constructor_declaration name: (_) @name body: (_)? @body) @definition.method
(destructor_declaration name: (_) @name body: (_)? @body) @definition.method
(operator_declaration operator: _ @name body: (_)? @body) @definition.method
(local_function_statement name: (_) @name body: (_)? @body) @definition.function
(property_declaration name: (_) @name accessors: (_)? @body value: (_)? @body) @definition.field
(indexer_declaration "this" @name accessors: (_)? @body value: (_)? @body) @definition.field
(event_declaration name: (_) @name accessors: (_)? @body) @definition.field
(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @definition.field
(event_field_declaration (variable_declaration (variable_declarator name: (_) @name))) @definition.field
(record_declaration (parameter_list (parameter name: (_) @name) @definition.field @exported))

(base_list [
  (identifier) @base
  (generic_name (identifier) @base)
  (qualified_name name: (identifier) @base)
  (qualified_name name: (generic_name (identifier) @base))
  (primary_constructor_base_type type: (identifier) @base)
  (primary_constructor_base_type type: (generic_name (identifier) @base))
])
(modifier ["public" "internal" "protected"]) @public
(modifier "file") @hidden
(compilation_unit [
  (class_declaration) (struct_declaration) (record_declaration)
  (interface_declaration) (enum_declaration) (delegate_declaration)
] @exported)
(namespace_declaration body: (declaration_list (_) @exported))
(interface_declaration body: (declaration_list (_) @exported))

(using_directive !name "using" "static"? [(identifier) (qualified_name) (alias_qualified_name)] @module) @import
(using_directive name: (_) @alias [(identifier) (qualified_name) (generic_name) (alias_qualified_name)] @module) @import

; Uses of names.

(invocation_expression function: (identifier) @reference.call)
(invocation_expression function: (generic_name (identifier) @reference.call))
(invocation_expression function: (member_access_expression name: (identifier) @reference.call))
(invocation_expression function: (member_access_expression name: (generic_name (identifier) @reference.call)))
(invocation_expression function: (conditional_access_expression (member_binding_expression name: (identifier) @reference.call)))
(object_creation_expression type: (identifier) @reference.call)
(object_creation_expression type: (generic_name (identifier) @reference.call))
(object_creation_expression type: (qualified_name name: (identifier) @reference.call))
(attribute name: (identifier) @reference.type)
(attribute name: (qualified_name name: (identifier) @reference.type))
(base_list (identifier) @reference.type)
(qualified_name name: (identifier) @reference.type)
(generic_name (identifier) @reference.type)
(type_argument_list (identifier) @reference.type)
(nullable_type type: (identifier) @reference.type)
(array_type type: (identifier) @reference.type)
(parameter type: (identifier) @reference.type)
(variable_declaration type: (identifier) @reference.type)
(method_declaration returns: (identifier) @reference.type)
(property_declaration type: (identifier) @reference.type)
(cast_expression type: (identifier) @reference.type)
(is_expression right: (identifier) @reference.type)
(as_expression right: (identifier) @reference.type)
(typeof_expression type: (identifier) @reference.type)
(catch_declaration type: (identifier) @reference.type)
(type_parameter_constraint type: (identifier) @reference.type)
(member_access_expression expression: (identifier) @reference.name)
(member_access_expression name: (identifier) @reference.attribute)
(member_access_expression name: (generic_name (identifier) @reference.attribute))
(member_binding_expression name: (identifier) @reference.attribute)
(argument (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(assignment_expression right: (identifier) @reference.name)
(arrow_expression_clause (identifier) @reference.name)
