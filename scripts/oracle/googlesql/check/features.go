package check

import (
	"errors"

	"github.com/goccy/go-googlesql"
)

// features are what BigQuery's dialect has of the language's optional parts. What is not listed is
// refused: an analyzer that takes more than BigQuery does would let wrong SQL through.
func features() []googlesql.LanguageFeature {
	return []googlesql.LanguageFeature{
		googlesql.LanguageFeatureFeatureAnalyticFunctions,
		googlesql.LanguageFeatureFeatureTablesample,
		googlesql.LanguageFeatureFeatureTableValuedFunctions,
		googlesql.LanguageFeatureFeatureGroupByRollup,
		googlesql.LanguageFeatureFeatureV14GroupingSets,
		googlesql.LanguageFeatureFeatureV14GroupingBuiltin,
		googlesql.LanguageFeatureFeatureV14GroupByAll,
		googlesql.LanguageFeatureFeatureV12GroupByStruct,
		googlesql.LanguageFeatureFeatureV12GroupByArray,
		googlesql.LanguageFeatureFeatureNamedArguments,
		googlesql.LanguageFeatureFeatureTemplateFunctions,
		googlesql.LanguageFeatureFeatureNumericType,
		googlesql.LanguageFeatureFeatureBignumericType,
		googlesql.LanguageFeatureFeatureV13DecimalAlias,
		googlesql.LanguageFeatureFeatureParameterizedTypes,
		googlesql.LanguageFeatureFeatureGeography,
		googlesql.LanguageFeatureFeatureIntervalType,
		googlesql.LanguageFeatureFeatureRangeType,
		googlesql.LanguageFeatureFeatureJsonType,
		googlesql.LanguageFeatureFeatureJsonArrayFunctions,
		googlesql.LanguageFeatureFeatureJsonValueExtractionFunctions,
		googlesql.LanguageFeatureFeatureJsonLaxValueExtractionFunctions,
		googlesql.LanguageFeatureFeatureJsonStrictNumberParsing,
		googlesql.LanguageFeatureFeatureCreateTableNotNull,
		googlesql.LanguageFeatureFeatureCreateTablePartitionBy,
		googlesql.LanguageFeatureFeatureCreateTableClusterBy,
		googlesql.LanguageFeatureFeatureCreateTableAsSelectColumnList,
		googlesql.LanguageFeatureFeatureV11HavingInAggregate,
		googlesql.LanguageFeatureFeatureV11NullHandlingModifierInAggregate,
		googlesql.LanguageFeatureFeatureV11NullHandlingModifierInAnalytic,
		googlesql.LanguageFeatureFeatureV11OrderByInAggregate,
		googlesql.LanguageFeatureFeatureV11LimitInAggregate,
		googlesql.LanguageFeatureFeatureV11OrderByCollate,
		googlesql.LanguageFeatureFeatureV11SelectStarExceptReplace,
		googlesql.LanguageFeatureFeatureV11WithOnSubquery,
		googlesql.LanguageFeatureFeatureV11ForSystemTimeAsOf,
		googlesql.LanguageFeatureFeatureV12CivilTime,
		googlesql.LanguageFeatureFeatureV12SafeFunctionCall,
		googlesql.LanguageFeatureFeatureV12WeekWithWeekday,
		googlesql.LanguageFeatureFeatureV13AllowDashesInTableName,
		googlesql.LanguageFeatureFeatureV13DateArithmetics,
		googlesql.LanguageFeatureFeatureV13DateTimeConstructors,
		googlesql.LanguageFeatureFeatureV13ExtendedDateTimeSignatures,
		googlesql.LanguageFeatureFeatureV13ExtendedGeographyParsers,
		googlesql.LanguageFeatureFeatureV13FormatInCast,
		googlesql.LanguageFeatureFeatureV13IsDistinct,
		googlesql.LanguageFeatureFeatureV13NullsFirstLastInOrderBy,
		googlesql.LanguageFeatureFeatureV13OmitInsertColumnList,
		googlesql.LanguageFeatureFeatureV13Pivot,
		googlesql.LanguageFeatureFeatureV13Unpivot,
		googlesql.LanguageFeatureFeatureV13Qualify,
		googlesql.LanguageFeatureFeatureV13WithRecursive,
		googlesql.LanguageFeatureFeatureV13ConcatMixedTypes,
		googlesql.LanguageFeatureFeatureV13AdditionalStringFunctions,
		googlesql.LanguageFeatureFeatureV13LikeAnySomeAll,
		googlesql.LanguageFeatureFeatureV13AllowRegexpExtractOptionals,
		googlesql.LanguageFeatureFeatureV13ColumnDefaultValue,
		googlesql.LanguageFeatureFeatureCbrtFunctions,
		googlesql.LanguageFeatureFeatureInverseTrigFunctions,
		googlesql.LanguageFeatureFeatureRoundWithRoundingMode,
		googlesql.LanguageFeatureFeatureTimeBucketFunctions,
		googlesql.LanguageFeatureFeatureV14DisableFloat32,
	}
}

// language sets up BigQuery's dialect.
func language() (*googlesql.LanguageOptions, error) {
	options, err := googlesql.NewLanguageOptions()
	if err != nil {
		return nil, err
	}
	errs := []error{
		options.SetProductMode(googlesql.ProductModeProductExternal),
		options.SetSupportsAllStatementKinds(),
		// As in BigQuery, where QUALIFY needs no WHERE beside it.
		options.EnableReservableKeyword("QUALIFY", true),
	}
	for _, feature := range features() {
		errs = append(errs, options.EnableLanguageFeature(feature))
	}
	return options, errors.Join(errs...)
}
